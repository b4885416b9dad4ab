/* SPDX-License-Identifier: MIT */
/*
 * Is a small history of a bounded queue one that the queue may have? The search of Wing and Gong,
 * with the memory that Lowe added: operations are put in an order step by step, each step within
 * its operation's interval, and a configuration that was reached before is not searched again.
 *
 * What is checked, honestly. A queue of tickets with holes is not linearizable as a plain bounded
 * FIFO queue. A push takes its place in line in one step and publishes its job in a later one; in
 * between the place is a hole. Everybody behind a hole waits for it: a pop answers "nothing ready"
 * although a later push has returned already, and a try_push answers "full" although some of the
 * places are holes. The order of jobs is not concerned, nor is any of them lost or doubled.
 *
 * So the specification has several atomic steps per operation, each somewhere between its
 * invocation and its response, and is otherwise exact:
 *
 *   push, accepted  RESERVE: not closed, fewer than `capacity` places taken; appends a hole.
 *                   PUBLISH: the hole becomes a job.
 *   push, full      one step: not closed, exactly `capacity` places taken, holes included.
 *   push, closed    one step: closed.
 *   close           one step: closed from here on.
 *   claim, k jobs   LOOK: the first k places are jobs, and k is all that could be had: `max`, or up
 *                   to the end of the segment, or up to the end of the queue or the first hole.
 *                   TAKE: these places leave the front, which is still where LOOK saw it.
 *                   The two are one step where k is all that could ever be had: what was published
 *                   stays published.
 *   claim, none     one step: the queue is empty or its front is a hole.
 *   pop_many        claims, one after the other, until `max` jobs are out, or one ends before its
 *                   segment does, or one finds nothing (wp_queue_pop_many of <wpool/queue.h>).
 *
 * Hence "nothing ready" is accepted only if at some moment of the pop the queue was empty or the
 * push of its oldest element was still going on. Places are counted from a segment's first slot, as
 * in a lane that is new. Not modelled: pushes of many jobs, and lanes of 64 jobs and more, whose
 * blocking pushes may take a place before there is room (see long.h for these).
 *
 * Weak memory. The above speaks of moments, which is more than C11 promises of loads that are not
 * sequentially consistent (x86-64 and arm64 do keep it). `weak` asks for what C11 promises by its
 * happens-before: an answer that says "no" (nothing, no more, full) may overlook what pushes, pops
 * and closes did that had not returned when the call began.
 *
 * No threads, no allocation, no global state: usable wherever C runs.
 *
 * Sources: J. M. Wing and C. Gong, "Testing and verifying concurrent objects", 1993; G. Lowe,
 * "Testing for linearizability", 2017.
 */
#ifndef WP_TESTS_LIN_WGL_H
#define WP_TESTS_LIN_WGL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WGL_OPS   32 /* operations of a history at most */
#define WGL_BATCH 8  /* jobs of one pop at most */

enum wgl_kind {
	WGL_PUSH,
	WGL_CLOSE,
	WGL_CLAIM, /* wp__segqueue_claim */
	WGL_POP    /* wp_queue_pop_many */
};

enum wgl_answer {
	WGL_OK, /* also of a close and of a pop, whatever it got */
	WGL_FULL,
	WGL_CLOSED
};

struct wgl_op {
	uint64_t inv, resp; /* stamps before the call and after it; equal stamps: side by side */
	uint8_t kind, answer;
	uint8_t thread;
	uint8_t value; /* push: 0 .. WGL_OPS-1, a different one each */
	uint8_t max;   /* pop: 1 .. WGL_BATCH */
	uint8_t count;
	uint8_t got[WGL_BATCH];
};

struct wgl_history {
	uint32_t capacity, segment_size;
	bool weak;
	uint32_t ops;
	struct wgl_op op[WGL_OPS];
};

/* The configurations that were reached. Prepared by all zeroes; serves one check after another. */
struct wgl_memo_entry {
	uint32_t check; /* which check made it */
	uint8_t progress[WGL_OPS];
	uint8_t order[WGL_OPS];
};

struct wgl_memo {
	uint32_t check, used;
	uint32_t size; /* of entry[]: a power of two; what does not fit is searched again */
	struct wgl_memo_entry *entry;
};

enum wgl_verdict {
	WGL_ACCEPTED,
	WGL_REJECTED,
	WGL_GAVE_UP /* too many steps; never with histories of 4 threads and 20 operations so far */
};

enum wgl_verdict wgl_check(const struct wgl_history *history, struct wgl_memo *memo);

#endif
