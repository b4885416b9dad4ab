/* SPDX-License-Identifier: MIT */
/*
 * One run of an open loop: jobs by a schedule, and when each of them started. Shared by the
 * workloads that tell latencies; latency.c says what is measured and how.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <wpool/wpool.h>

#include "bench.h"
#include "histogram.h"

struct latency {
	struct histogram due;    /* from the moment when a job was due to its start */
	struct histogram submit; /* from the call of wp_submit to the start */
	uint64_t jobs;
	double wall_ns;             /* of the open loop */
	double cpu_ns;              /* of the whole process */
	double worker_cpu_ns;       /* of the pool's threads, as the kernel counts it */
	double submit_ns;           /* that the producer spent in wp_submit */
	struct bench_sample *costs; /* set by the caller: gets the heap calls of a run, or NULL */
};

/*
 * Runs p->jobs jobs at p->rate, or fewer (p->brief says how long), in a new pool, and adds what it
 * measured to *sum, which may hold that of other runs. The pool has one producer.
 */
void latency_measure(const char *workload, const struct bench_params *p,
	const struct wp_options *options, struct latency *sum);

#endif
