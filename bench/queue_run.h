/* SPDX-License-Identifier: MIT */
/*
 * One run of a queue between producers and consumers: shared by the queue workloads.
 *
 * The jobs 1 .. N are dealt out evenly to the producers before the clock starts. A producer pushes
 * its share, one by one with wp_queue_push (batch 1) or in arrays with wp_queue_push_many. Filling
 * in such an array is part of what is timed, as it is part of what a user does. A consumer pops up
 * to QUEUE_RUN_CLAIM jobs at a time with wp_queue_pop_many and adds each to its tally (tally.h);
 * the jobs are carried, never called. It stops when all producers have returned and the queue is
 * empty.
 */
#ifndef BENCH_QUEUE_RUN_H
#define BENCH_QUEUE_RUN_H

#include "bench.h"

#define QUEUE_RUN_CLAIM 256

/* `paced` says whether consumers wait between looks as pacer.h describes. */
void queue_run(const char *workload, const struct bench_params *p, bool paced,
	struct bench_sample *sample);

/* The same, paced, with a queue that has one producer and knows it. */
void queue_run_single(
	const char *workload, const struct bench_params *p, struct bench_sample *sample);

struct wp_queue;

/* A queue by the parameters; ends the program when there is none to be had. */
struct wp_queue *queue_run_create(const char *workload, const struct bench_params *p);

#endif
