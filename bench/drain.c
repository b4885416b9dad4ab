/* SPDX-License-Identifier: MIT */
/*
 * drain_queue, drain_mutex: many threads send results, one collects them.
 *
 * Measured: ns per result from the first send to the last one collected. Both carry the same and
 * promise the same. A result has 32 bytes, which is what a wp_queue carries. At most `capacity`
 * results wait (65,536, or --capacity), and a sender that finds no room sleeps until there is some:
 * an array without a bound would never make anybody wait, and would be compared by how much memory
 * it takes. In drain_queue results go through a wp_queue, and the collector takes up to 256 at a
 * time; in drain_mutex they are appended to an array that grows, under a mutex, and the collector
 * takes the whole array away by swapping it for an empty one, which is the best that can be done
 * with a mutex: it holds it for a moment only, two arrays are used in turn, so that nothing is
 * allocated once they have grown, and a condition variable is signalled only when somebody waits.
 * Both collectors wait between two looks as pacer.h describes, and check each result (tally.h).
 *
 * To compare them where nobody ever waits, as append to a slice is used in Go, let all results of a
 * run fit: --capacity 1M.
 *
 * Not measured: memory that lies idle. Two arrays grow to the longest backlog there ever was.
 * Smaller results, which an array would hold in less memory.
 */
#include <pthread.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#include "bench.h"
#include "costs.h"
#include "crew.h"
#include "pacer.h"
#include "pin.h"
#include "queue_run.h"
#include "tally.h"

#define CLAIM       256
#define FIRST_ITEMS 64
#define CAPACITY    65536 /* the queue's default */

struct list {
	struct wp_job *items;
	size_t count, room;
};

struct drain {
	const char *workload;
	const struct bench_params *p;
	struct wp_queue *queue; /* or NULL: the list */
	pthread_mutex_t mutex;
	pthread_cond_t room;
	struct list list; /* this and the next under the mutex */
	unsigned waiting; /* senders, for room */
	size_t bound;     /* results that may wait in the list */
	bool crowded;
	atomic_uint senders_left;
};

static void append(struct drain *drain, const struct wp_job *result)
{
	struct list *list = &drain->list;

	pthread_mutex_lock(&drain->mutex);
	while (list->count == drain->bound) {
		drain->waiting++;
		pthread_cond_wait(&drain->room, &drain->mutex);
		drain->waiting--;
	}
	if (list->count == list->room) {
		list->room = list->room == 0 ? FIRST_ITEMS : 2 * list->room;
		list->items = realloc(list->items, list->room * sizeof(*list->items));
		if (list->items == NULL)
			bench_die("%s: out of memory", drain->workload);
	}
	list->items[list->count++] = *result;
	pthread_mutex_unlock(&drain->mutex);
}

static void send_results(struct crew_member *me)
{
	struct drain *drain = me->shared;
	const struct bench_params *p = drain->p;
	uint64_t id = 1 + p->jobs * me->index / p->producers;
	uint64_t end = 1 + p->jobs * (me->index + 1) / p->producers;
	struct wp_job job = { .fn = tally_job };

	for (; id < end; id++) {
		job.payload = tally_payload(id);
		if (drain->queue == NULL)
			append(drain, &job);
		else if (wp_queue_push(drain->queue, &job) != 0)
			bench_die("%s: wp_queue_push failed", drain->workload);
	}
	/* Release: a collector that sees 0 also sees every result. */
	atomic_fetch_sub_explicit(&drain->senders_left, 1, memory_order_release);
}

/* Takes what there is; how many. */
static size_t collect_list(struct drain *drain, struct list *spare, struct tally *tally)
{
	struct list taken;
	bool wake;

	pthread_mutex_lock(&drain->mutex);
	taken = drain->list;
	drain->list = *spare;
	wake = drain->waiting != 0;
	pthread_mutex_unlock(&drain->mutex);
	if (wake)
		pthread_cond_broadcast(&drain->room);
	for (size_t i = 0; i < taken.count; i++)
		tally_add(tally, tally_id(taken.items[i].payload));
	*spare = taken;
	spare->count = 0;
	return taken.count;
}

static size_t collect_queue(struct drain *drain, struct tally *tally)
{
	struct wp_job jobs[CLAIM];
	size_t n = wp_queue_pop_many(drain->queue, jobs, CLAIM);

	for (size_t i = 0; i < n; i++)
		tally_add(tally, tally_id(jobs[i].payload));
	return n;
}

static void collect(struct crew_member *me)
{
	struct drain *drain = me->shared;
	struct tally *tally = tally_of_thread();
	struct pacer pacer = { .crowded = drain->crowded };
	struct list spare = { 0 };

	for (;;) {
		bool last;
		size_t n;

		pacer_wait(&pacer);
		last = atomic_load_explicit(&drain->senders_left, memory_order_acquire) == 0;
		n = drain->queue != NULL ? collect_queue(drain, tally)
					 : collect_list(drain, &spare, tally);
		pacer_note(&pacer, n, CLAIM);
		if (n != 0 && last)
			me->end_ns = bench_now_ns();
		else if (n == 0 && last)
			break;
	}
	if (me->end_ns == 0)
		me->end_ns = bench_now_ns();
	free(spare.items);
}

static void run_drain(struct drain *drain, struct bench_sample *sample)
{
	const struct bench_params *p = drain->p;
	struct crew crew;

	drain->crowded = p->producers + 1 > wp_usable_cpus();
	atomic_init(&drain->senders_left, p->producers);
	tally_begin(1);
	crew_init(&crew, p->producers + 1);
	crew_add_consumer(&crew, collect, drain, 0, pin_cpu_if(p->pin, 0));
	for (unsigned i = 0; i < p->producers; i++)
		crew_add_producer(&crew, send_results, drain, i, pin_cpu_if(p->pin, 1 + i));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	costs_end(sample);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	crew_fini(&crew);
	tally_check(drain->workload, p->jobs);
}

static void run_queue(const struct bench_params *p, struct bench_sample *sample)
{
	struct drain drain = { .workload = "drain_queue", .p = p };

	drain.queue = queue_run_create(drain.workload, p);
	run_drain(&drain, sample);
	wp_queue_destroy(drain.queue);
}

static void run_mutex(const struct bench_params *p, struct bench_sample *sample)
{
	struct drain drain = { .workload = "drain_mutex", .p = p };

	drain.bound = p->capacity != 0 ? p->capacity : CAPACITY;
	if (pthread_mutex_init(&drain.mutex, NULL) != 0 ||
		pthread_cond_init(&drain.room, NULL) != 0)
		bench_die("%s: no mutex", drain.workload);
	run_drain(&drain, sample);
	pthread_cond_destroy(&drain.room);
	pthread_mutex_destroy(&drain.mutex);
	free(drain.list.items);
}

const struct bench_workload bench_drain_queue = {
	.name = "drain_queue",
	.about = "results of many threads collected by one, through a wp_queue",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,cpus,8",
	.segment_size = "0",
	.jobs = 1000000,
	.quick_jobs = 50000,
	.run = run_queue,
};

const struct bench_workload bench_drain_mutex = {
	.name = "drain_mutex",
	.about = "the same through an array that grows, under a mutex",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,cpus,8",
	.jobs = 1000000,
	.quick_jobs = 50000,
	.run = run_mutex,
};
