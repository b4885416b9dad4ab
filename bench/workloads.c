/* SPDX-License-Identifier: MIT */
/* The list of all workloads, in the order of the table. */
#include "bench.h"

extern const struct bench_workload bench_job_cost;
extern const struct bench_workload bench_queue_pair;
extern const struct bench_workload bench_queue_mpmc;
extern const struct bench_workload bench_queue_mpmc_unpaced;
extern const struct bench_workload bench_queue_single;
extern const struct bench_workload bench_queue_batch;
extern const struct bench_workload bench_segment_size;
extern const struct bench_workload bench_pool_empty;
extern const struct bench_workload bench_pool_batch;
extern const struct bench_workload bench_pool_producer;
extern const struct bench_workload bench_pool_try;
extern const struct bench_workload bench_pool_wait;
extern const struct bench_workload bench_growth;
extern const struct bench_workload bench_latency;
extern const struct bench_workload bench_first_job;
extern const struct bench_workload bench_idle;
extern const struct bench_workload bench_allocs;

const struct bench_workload *const bench_workloads[] = {
	&bench_raw_limit,
	&bench_job_cost,
	&bench_queue_pair,
	&bench_queue_mpmc,
	&bench_queue_mpmc_unpaced,
	&bench_queue_single,
	&bench_queue_batch,
	&bench_segment_size,
	&bench_pool_empty,
	&bench_pool_batch,
	&bench_pool_producer,
	&bench_pool_try,
	&bench_pool_wait,
	&bench_growth,
	&bench_latency,
	&bench_first_job,
	&bench_idle,
	&bench_allocs,
	NULL,
};
