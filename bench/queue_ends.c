/* SPDX-License-Identifier: MIT */
/*
 * queue_push, queue_pop: one thread fills a queue, then empties it.
 *
 * Measured: queue_push times only the pushes, queue_pop only the taking out, 256 at a time; nobody
 * else is there, so these are the instructions and the memory of the two ends by themselves. The
 * queue is filled with 65536 jobs at a time (2 MiB: more than a first-level cache, as a queue that
 * is behind its producers), or its capacity.
 *
 * Not measured: the transfer between cores, which is what a queue is for; see queue_mpmc.
 */
#include <stdatomic.h>

#include <wpool/wpool.h>

#include "bench.h"
#include "costs.h"
#include "queue_run.h"
#include "tally.h"

#define FILL  65536
#define CLAIM 256

static void fill(struct wp_queue *queue, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = tally_job };

	for (; id < end; id++) {
		job.payload = tally_payload(id);
		if (__builtin_expect(wp_queue_try_push(queue, &job) != 0, 0))
			bench_die("a queue took fewer jobs than its capacity");
	}
}

static void empty(struct wp_queue *queue, struct tally *tally)
{
	struct wp_job jobs[CLAIM];
	size_t n;

	while ((n = wp_queue_pop_many(queue, jobs, CLAIM)) != 0)
		for (size_t i = 0; i < n; i++)
			tally_add(tally, tally_id(jobs[i].payload));
}

static void run_ends(
	const char *workload, bool push, const struct bench_params *p, struct bench_sample *sample)
{
	struct wp_queue *queue = queue_run_create(workload, p);
	uint64_t room = p->capacity != 0 ? p->capacity : FILL;
	uint64_t ns = 0, cpu = 0, next = 1;
	struct tally *tally;

	tally_begin(1);
	tally = tally_of_thread();
	costs_begin();
	while (next <= p->jobs) {
		uint64_t end = p->jobs + 1 - next < room ? p->jobs + 1 : next + room;
		uint64_t begin, middle, cpu_begin, cpu_middle;

		cpu_begin = bench_cpu_ns();
		begin = bench_now_ns();
		fill(queue, next, end);
		middle = bench_now_ns();
		cpu_middle = bench_cpu_ns();
		empty(queue, tally);
		ns += push ? middle - begin : bench_now_ns() - middle;
		cpu += push ? cpu_middle - cpu_begin : bench_cpu_ns() - cpu_middle;
		next = end;
	}
	costs_end(sample);
	sample->wall_ns = (double)ns;
	sample->cpu_ns = (double)cpu;
	sample->jobs = p->jobs;
	tally_check(workload, p->jobs);
	tally_mine = NULL;
	wp_queue_destroy(queue);
}

static void run_push(const struct bench_params *p, struct bench_sample *sample)
{
	run_ends("queue_push", true, p, sample);
}

static void run_pop(const struct bench_params *p, struct bench_sample *sample)
{
	run_ends("queue_pop", false, p, sample);
}

const struct bench_workload bench_queue_push = {
	.name = "queue_push",
	.about = "pushing alone, one thread",
	.kind = BENCH_TIME,
	.costs = true,
	.segment_size = "0",
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run_push,
};

const struct bench_workload bench_queue_pop = {
	.name = "queue_pop",
	.about = "popping alone, one thread, 256 at a time",
	.kind = BENCH_TIME,
	.costs = true,
	.segment_size = "0",
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run_pop,
};
