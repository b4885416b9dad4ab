/* SPDX-License-Identifier: MIT */
#include "queue_run.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#include "costs.h"
#include "crew.h"
#include "pacer.h"
#include "pin.h"
#include "tally.h"

struct run {
	const char *workload;
	const struct bench_params *p;
	struct wp_queue *queue;
	bool paced;
	bool crowded;
	atomic_uint producers_left;
};

static struct wp_queue *create(const char *workload, const struct bench_params *p, bool single)
{
	struct wp_queue_options options = WP_QUEUE_OPTIONS_INIT;
	struct wp_queue *queue;
	int error;

	options.capacity = p->capacity;
	options.segment_size = p->segment_size;
	options.single_producer = single;
	error = wp_queue_create(&queue, &options);
	if (error != 0)
		bench_die("%s: wp_queue_create (capacity %zu, segment size %u): %s", workload,
			p->capacity, p->segment_size, wp_strerror(error));
	return queue;
}

struct wp_queue *queue_run_create(const char *workload, const struct bench_params *p)
{
	return create(workload, p, false);
}

/* First id of a producer's share; the share ends where the next one's begins. */
static uint64_t share_begin(const struct bench_params *p, unsigned index)
{
	return 1 + p->jobs * index / p->producers;
}

static void push_singles(struct run *run, uint64_t id, uint64_t end)
{
	/* The function only has to be there: a queue carries jobs and never calls them. */
	struct wp_job job = { .fn = tally_job };

	for (; id < end; id++) {
		int error;

		job.payload = tally_payload(id);
		error = wp_queue_push(run->queue, &job);
		if (__builtin_expect(error != 0, 0))
			bench_die("%s: wp_queue_push: %s", run->workload, wp_strerror(error));
	}
}

static void push_batches(struct run *run, uint64_t id, uint64_t end)
{
	struct wp_job *jobs = bench_alloc(run->p->batch, sizeof(*jobs));

	for (uint32_t i = 0; i < run->p->batch; i++)
		jobs[i].fn = tally_job;
	while (id < end) {
		size_t n = end - id < run->p->batch ? (size_t)(end - id) : run->p->batch;

		for (size_t i = 0; i < n; i++)
			jobs[i].payload = tally_payload(id + i);
		if (wp_queue_push_many(run->queue, jobs, n) != n)
			bench_die(
				"%s: wp_queue_push_many took fewer than %zu jobs of an open queue",
				run->workload, n);
		id += n;
	}
	free(jobs);
}

static void produce(struct crew_member *me)
{
	struct run *run = me->shared;
	uint64_t begin = share_begin(run->p, me->index);
	uint64_t end = share_begin(run->p, me->index + 1);

	if (run->p->batch > 1)
		push_batches(run, begin, end);
	else
		push_singles(run, begin, end);
	/* Release: a consumer that sees 0 also sees every job published. */
	atomic_fetch_sub_explicit(&run->producers_left, 1, memory_order_release);
}

static void consume(struct crew_member *me)
{
	struct run *run = me->shared;
	struct tally *tally = tally_of_thread();
	struct pacer pacer = { .crowded = run->crowded };
	struct wp_job jobs[QUEUE_RUN_CLAIM];

	for (;;) {
		bool last;
		size_t n;

		if (run->paced)
			pacer_wait(&pacer);
		last = atomic_load_explicit(&run->producers_left, memory_order_acquire) == 0;
		n = wp_queue_pop_many(run->queue, jobs, QUEUE_RUN_CLAIM);
		for (size_t i = 0; i < n; i++)
			tally_add(tally, tally_id(jobs[i].payload));
		pacer_note(&pacer, n, QUEUE_RUN_CLAIM);
		if (!last)
			continue;
		/* The clock is read only when this may have been the last job. */
		if (n != 0)
			me->end_ns = bench_now_ns();
		else if (wp_queue_depth(run->queue) == 0)
			break;
	}
}

static void run_through(struct wp_queue *queue, const char *workload, const struct bench_params *p,
	bool paced, struct bench_sample *sample)
{
	unsigned threads = p->producers + p->workers;
	struct run run = {
		.workload = workload,
		.p = p,
		.queue = queue,
		.paced = paced,
		.crowded = threads > wp_usable_cpus(),
	};
	struct crew crew;

	atomic_init(&run.producers_left, p->producers);
	tally_begin(p->workers);
	crew_init(&crew, threads);
	for (unsigned i = 0; i < p->workers; i++)
		crew_add_consumer(&crew, consume, &run, i, pin_cpu_if(p->pin, i));
	for (unsigned i = 0; i < p->producers; i++)
		crew_add_producer(&crew, produce, &run, i, pin_cpu_if(p->pin, p->workers + i));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	costs_end(sample);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	tally_check(workload, p->jobs);
	crew_fini(&crew);
	wp_queue_destroy(run.queue);
}

void queue_run(
	const char *workload, const struct bench_params *p, bool paced, struct bench_sample *sample)
{
	run_through(create(workload, p, false), workload, p, paced, sample);
}

void queue_run_single(
	const char *workload, const struct bench_params *p, struct bench_sample *sample)
{
	run_through(create(workload, p, true), workload, p, true, sample);
}
