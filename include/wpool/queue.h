/* SPDX-License-Identifier: MIT */
/*
 * The lane by itself: a bounded, strictly first-in-first-out queue of jobs for many producers and
 * many consumers, without threads. Jobs are only carried, never called.
 *
 * Order: each accepted job has a ticket, its place in line over all producers. Jobs come out in
 * ticket order. Two jobs pushed by one thread keep their order; so do two jobs where the first
 * push returned before the second began.
 *
 * Progress, stated plainly: push and pop take no lock and never wait for a lock holder. A producer
 * that is preempted between taking its ticket and publishing its job delays the jobs behind it in
 * this queue until it runs again, as in every first-in-first-out ticket queue. A consumer that is
 * preempted while it copies jobs out keeps their segment from being used again; producers feel
 * that only when they have gone once round the whole directory of segments.
 *
 * Memory: address space for every segment that the capacity can need is reserved at creation; the
 * pages are touched when a segment is first used. Nothing is allocated afterwards.
 */
#ifndef WPOOL_QUEUE_H
#define WPOOL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/export.h>
#include <wpool/job.h>

WP_BEGIN_DECLS

#define WP_SEGMENT_SIZE_MAX (1u << 20)   /* slots in a segment */
#define WP_CAPACITY_MAX     (1ull << 32) /* jobs in a queue */
#define WP_SEGMENTS_MAX     (1u << 22) /* segments in a queue: capacity / segment_size and spare */

struct wp_queue;

/* Zero in any field but size means its default. */
struct wp_queue_options {
	size_t size;           /* sizeof(struct wp_queue_options), set by the caller */
	size_t capacity;       /* jobs held at most, exactly; 1 .. WP_CAPACITY_MAX; default 65536 */
	uint32_t segment_size; /* slots per segment; 1 .. WP_SEGMENT_SIZE_MAX; default 1024 */
	uint32_t segment_count; /* segments touched at creation; default 0: each on first use */
	bool single_producer;   /* one thread at a time pushes: no atomic read-modify-write on the
	                           way in; the order between two such threads is the caller's */
};

#define WP_QUEUE_OPTIONS_INIT                           \
	{                                               \
		.size = sizeof(struct wp_queue_options) \
	}

/*
 * Makes a queue. options may be NULL: all defaults. 0; WP_EINVAL: a field is out of range, or
 * capacity / segment_size asks for more than WP_SEGMENTS_MAX segments; WP_ENOMEM. On error *q is
 * set to NULL.
 */
WP_API int wp_queue_create(struct wp_queue **q, const struct wp_queue_options *options);

/*
 * Frees the queue and the jobs still in it without running or cleaning them up. No other call on
 * the queue may be going on. NULL is fine.
 */
WP_API void wp_queue_destroy(struct wp_queue *q);

/*
 * Puts a copy of *job at the end of the line; waits while the queue is full, up to `deadline`
 * (wp_after_ns; WP_FOREVER). 0; WP_EINVAL: job or its function is NULL; WP_ETIMEDOUT; WP_ECLOSED.
 * Any thread, or with single_producer one at a time. wp_queue_push never gives up: it is
 * wp_queue_push_until(q, job, WP_FOREVER) on a faster path.
 */
WP_API int wp_queue_push(struct wp_queue *q, const struct wp_job *job);
WP_API int wp_queue_push_until(struct wp_queue *q, const struct wp_job *job, uint64_t deadline);

/* The same without waiting: 0, WP_EINVAL, WP_ECLOSED, or WP_EFULL when capacity jobs are inside. */
WP_API int wp_queue_try_push(struct wp_queue *q, const struct wp_job *job);

/*
 * Puts copies of the n jobs in line, in order. wp_queue_push_many waits while the queue is full
 * and returns n, or fewer when the queue was closed meanwhile; wp_queue_try_push_many returns how
 * many went in at once. The first jobs go in; the ones not counted remain the caller's. Up to
 * segment_size jobs that go in together have neighbouring tickets. 0 when n is 0 or a job has no
 * function.
 */
WP_API size_t wp_queue_push_many(struct wp_queue *q, const struct wp_job *jobs, size_t n);
WP_API size_t wp_queue_try_push_many(struct wp_queue *q, const struct wp_job *jobs, size_t n);

/*
 * Takes up to max jobs from the front, in order, into out; returns how many. 0: nothing is ready
 * now: the queue is empty, or the job at the front has its ticket but is not published yet. Never
 * waits. Any thread.
 */
WP_API size_t wp_queue_pop_many(struct wp_queue *q, struct wp_job *out, size_t max);

/*
 * Refuses all pushes from now on and wakes those that wait; what is inside still comes out. The
 * close is one atomic step: a push either took its ticket before it and its job will come out, or
 * returns WP_ECLOSED. Any thread, any number of times.
 */
WP_API void wp_queue_close(struct wp_queue *q);

/*
 * How many jobs were accepted and not yet popped. Exact when nobody pushes or pops; otherwise a
 * value the queue had during the call, or briefly more; never negative, never above capacity.
 */
WP_API size_t wp_queue_depth(const struct wp_queue *q);

/* Segments: how many exist at most, were ever touched, and are waiting to be used again. */
struct wp_queue_memory {
	size_t segments_reserved; /* address space set aside at creation */
	size_t segments_touched;  /* used at least once: their pages may be resident */
	size_t segments_free;     /* touched and idle */
	uint64_t segments_reused; /* times a segment was taken from the free list */
	size_t segment_bytes;     /* size of one segment with its marks and header */
};

/* Fills *out; the figures are read one after the other. Any thread. */
WP_API void wp_queue_memory(const struct wp_queue *q, struct wp_queue_memory *out);

WP_END_DECLS

#endif
