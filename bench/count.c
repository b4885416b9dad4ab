/* SPDX-License-Identifier: MIT */
/*
 * bench_count: what a job costs in instructions, for valgrind's callgrind.
 *
 * Nanoseconds differ from run to run and from machine to machine; the number of instructions that
 * one thread executes in the library does not. This program does one operation COUNT_JOBS times
 * inside a function called measured, and callgrind is told to count only while a thread is in
 * there (--toggle-collect=measured). tools/bench-gate divides, compares with bench/baseline.json,
 * and counts only what belongs to this program and to libwpool.so: the C library chooses its memcpy
 * by the CPU, and must not matter. So the program is linked with the shared library.
 *
 * Everything that depends on time or on other threads is kept out of the measured function. The
 * pool has one worker, which sits in a job that waits for a semaphore; it neither sleeps nor claims
 * while jobs are submitted, and the capacity is far away. Memory has been touched by a run before.
 * What a worker does per job adapts itself to the clock and cannot be counted this way; "drain"
 * counts taking jobs out of a queue, which is the same code.
 *
 *   bench_count --list        the operations, one a line
 *   bench_count --key         compiler, architecture and flags: what counts can be compared with
 *   bench_count OPERATION     does it; prints how many jobs it was
 */
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wpool/wpool.h>

#define COUNT_JOBS 19200 /* a multiple of BATCH; far below the capacity */
#define CAPACITY   65536
#define BATCH      64
#define CLAIM      256

#if defined(__clang__)
#define COMPILER "clang"
#define VERSION  __clang_major__, __clang_minor__, __clang_patchlevel__
#else
#define COMPILER "gcc"
#define VERSION  __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__
#endif
#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#else
#define ARCHITECTURE "other"
#endif

struct count {
	struct wp_pool *pool;
	struct wp_queue *queue;
	struct wp_producer *producer;
	sem_t started, released;
	uint64_t ran;
	size_t popped;
	struct wp_job jobs[BATCH];
};

enum subject {
	POOL,         /* whose worker is busy */
	QUEUE,        /* for any number of producers */
	SINGLE_QUEUE, /* for one producer */
};

struct operation {
	const char *name;
	enum subject subject;
	void (*prepare)(struct count *c); /* or NULL; not counted */
	void (*perform)(struct count *c); /* COUNT_JOBS jobs */
};

/* Ends the program if something is not as it must be. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_count: %s\n", what);
	_exit(1);
}

static int count_job(void *payload)
{
	struct count *c = payload;

	c->ran++;
	return 0;
}

static int blocking_job(void *payload)
{
	struct count *c = payload;

	sem_post(&c->started);
	while (sem_wait(&c->released) != 0)
		;
	return 0;
}

static void submit(struct count *c)
{
	for (unsigned i = 0; i < COUNT_JOBS; i++)
		must(wp_submit(c->pool, count_job, c) == 0, "wp_submit failed");
}

static void try_submit(struct count *c)
{
	for (unsigned i = 0; i < COUNT_JOBS; i++)
		must(wp_try_submit(c->pool, &c->jobs[0]) == 0, "wp_try_submit failed");
}

static void submit_batch(struct count *c)
{
	for (unsigned i = 0; i < COUNT_JOBS; i += BATCH)
		must(wp_submit_batch(c->pool, c->jobs, BATCH) == BATCH, "wp_submit_batch failed");
}

static void producer_submit(struct count *c)
{
	for (unsigned i = 0; i < COUNT_JOBS; i++)
		must(wp_producer_submit(c->producer, count_job, c) == 0,
			"wp_producer_submit failed");
}

static void push(struct count *c)
{
	for (unsigned i = 0; i < COUNT_JOBS; i++)
		must(wp_queue_push(c->queue, &c->jobs[0]) == 0, "wp_queue_push failed");
}

static void drain(struct count *c)
{
	struct wp_job taken[CLAIM];
	size_t n;

	while ((n = wp_queue_pop_many(c->queue, taken, CLAIM)) != 0)
		c->popped += n;
}

static const struct operation operations[] = {
	{ "submit", POOL, NULL, submit },
	{ "try_submit", POOL, NULL, try_submit },
	{ "submit_batch_64", POOL, NULL, submit_batch },
	{ "producer_submit", POOL, NULL, producer_submit },
	{ "push", QUEUE, NULL, push },
	{ "push_single", SINGLE_QUEUE, NULL, push },
	{ "drain", QUEUE, push, drain },
	{ "drain_single", SINGLE_QUEUE, push, drain },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* callgrind counts in here. Not inlined, or its name would not be found. */
__attribute__((noinline, used)) void measured(const struct operation *operation, struct count *c);

void measured(const struct operation *operation, struct count *c)
{
	operation->perform(c);
	/* Not a tail call: the function must be there until the work is done. */
	__asm__ volatile("" : : : "memory");
}

static void count_in_queue(struct count *c, const struct operation *operation)
{
	struct wp_queue_options options = WP_QUEUE_OPTIONS_INIT;

	options.capacity = CAPACITY;
	options.single_producer = operation->subject == SINGLE_QUEUE;
	must(wp_queue_create(&c->queue, &options) == 0, "no queue");
	for (unsigned i = 0; i < CAPACITY; i++)
		must(wp_queue_push(c->queue, &c->jobs[0]) == 0, "wp_queue_push failed");
	drain(c);
	c->popped = 0;
	if (operation->prepare != NULL)
		operation->prepare(c);
	measured(operation, c);
	drain(c);
	must(c->popped == COUNT_JOBS, "not all jobs came out of the queue");
	wp_queue_destroy(c->queue);
}

static void count_in_pool(struct count *c, const struct operation *operation)
{
	struct wp_options options = WP_OPTIONS_INIT;
	struct wp_stop_report report;

	options.workers = 1;
	options.capacity = CAPACITY;
	options.producer_capacity = CAPACITY;
	must(wp_pool_create(&c->pool, &options) == 0, "no pool");
	must(wp_producer_open(&c->producer, c->pool) == 0, "no producer");
	for (unsigned i = 0; i < CAPACITY; i++)
		must(wp_submit(c->pool, count_job, c) == 0, "wp_submit failed");
	for (unsigned i = 0; i < CAPACITY; i++)
		must(wp_producer_submit(c->producer, count_job, c) == 0,
			"wp_producer_submit failed");
	must(wp_pool_wait(c->pool, WP_FOREVER) == 0, "wp_pool_wait failed");
	must(wp_submit(c->pool, blocking_job, c) == 0, "wp_submit failed");
	while (sem_wait(&c->started) != 0)
		;
	measured(operation, c);
	sem_post(&c->released);
	wp_producer_close(c->producer);
	must(wp_pool_shutdown(c->pool, WP_FOREVER, &report) == 0, "wp_pool_shutdown failed");
	must(c->ran == 2 * CAPACITY + COUNT_JOBS && report.completed == c->ran + 1,
		"not every job ran once");
	wp_pool_destroy(c->pool);
}

int main(int argc, char **argv)
{
	const struct operation *operation = NULL;
	static struct count c;

	for (size_t i = 0; argc == 2 && i < OPERATIONS; i++) {
		if (strcmp(argv[1], operations[i].name) == 0)
			operation = &operations[i];
		if (strcmp(argv[1], "--list") == 0)
			puts(operations[i].name);
	}
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "--key") == 0) {
		printf(COMPILER " %d.%d.%d " ARCHITECTURE " " BENCH_FLAGS "\n", VERSION);
		return 0;
	}
	if (operation == NULL) {
		fputs("usage: bench_count --list | --key | OPERATION\n", stderr);
		return 2;
	}
	for (unsigned i = 0; i < BATCH; i++)
		c.jobs[i] = (struct wp_job){ .fn = count_job, .payload = &c };
	must(sem_init(&c.started, 0, 0) == 0 && sem_init(&c.released, 0, 0) == 0, "no semaphore");
	if (operation->subject == POOL)
		count_in_pool(&c, operation);
	else
		count_in_queue(&c, operation);
	printf("%d\n", COUNT_JOBS);
	return 0;
}
