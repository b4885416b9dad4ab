/* SPDX-License-Identifier: MIT */
/*
 * queue_pair: one thread pushes a job and pops it again.
 *
 * Measured: the instructions of one wp_queue_push and one wp_queue_pop_many together, with all
 * lines in the core's own cache and every atomic operation uncontended. It is the floor of what the
 * code costs where nothing has to travel, and the figure that shows whether a change made the path
 * longer.
 *
 * Not measured: anything that has to do with several threads, which is what a queue is for. Do not
 * quote it as "the speed of the queue"; queue_mpmc is that. It is faster than the raw limit would
 * allow two threads to be whenever the two operations together are cheaper than moving a line.
 */
#include <wpool/wpool.h>

#include "bench.h"
#include "costs.h"
#include "queue_run.h"
#include "tally.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct wp_queue *queue = queue_run_create("queue_pair", p);
	struct wp_job in = { .fn = tally_job }, out;
	struct tally *tally;
	uint64_t begin, cpu_begin;

	tally_begin(1);
	tally = tally_claim();
	costs_begin();
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	for (uint64_t id = 1; id <= p->jobs; id++) {
		int error;

		in.payload = tally_payload(id);
		error = wp_queue_push(queue, &in);
		if (__builtin_expect(error != 0, 0))
			bench_die("queue_pair: wp_queue_push: %s", wp_strerror(error));
		if (__builtin_expect(wp_queue_pop_many(queue, &out, 1) != 1, 0))
			bench_die("queue_pair: the job just pushed did not come out");
		tally_add(tally, tally_id(out.payload));
	}
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = p->jobs;
	costs_end(sample);
	tally_check("queue_pair", p->jobs);
	/* The main thread takes part in no other run. */
	tally_mine = NULL;
	wp_queue_destroy(queue);
}

const struct bench_workload bench_queue_pair = {
	.name = "queue_pair",
	.about = "push and pop of one job by the same thread: the instructions alone",
	.kind = BENCH_TIME,
	.costs = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
