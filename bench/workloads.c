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
extern const struct bench_workload bench_idle_lanes;
extern const struct bench_workload bench_idle_lanes_shared;
extern const struct bench_workload bench_pool_try;
extern const struct bench_workload bench_pool_timing;
extern const struct bench_workload bench_pool_contain;
extern const struct bench_workload bench_pool_wait;
extern const struct bench_workload bench_growth;
extern const struct bench_workload bench_latency;
extern const struct bench_workload bench_pacing;
extern const struct bench_workload bench_unequal;
extern const struct bench_workload bench_rescue;
extern const struct bench_workload bench_rescue_cost;
extern const struct bench_workload bench_guard_cost;
extern const struct bench_workload bench_first_job;
extern const struct bench_workload bench_wakeup;
extern const struct bench_workload bench_idle;
extern const struct bench_workload bench_allocs;
extern const struct bench_workload bench_queue_push;
extern const struct bench_workload bench_queue_pop;
extern const struct bench_workload bench_pool_until;
extern const struct bench_workload bench_pool_ctx;
extern const struct bench_workload bench_scale_empty;
#ifdef BENCH_HAVE_NETTLE
extern const struct bench_workload bench_scale_sha256;
#endif
extern const struct bench_workload bench_scale_cpu;
extern const struct bench_workload bench_scale_io;
extern const struct bench_workload bench_matrix_empty;
extern const struct bench_workload bench_matrix_cpu;
extern const struct bench_workload bench_matrix_io;
extern const struct bench_workload bench_crowd;
extern const struct bench_workload bench_crowd_lanes;
extern const struct bench_workload bench_submit_path;
extern const struct bench_workload bench_producer_pressure;
extern const struct bench_workload bench_backpressure;
extern const struct bench_workload bench_mixed;
extern const struct bench_workload bench_wait_cpu;
extern const struct bench_workload bench_thread_empty;
extern const struct bench_workload bench_thread_cpu;
extern const struct bench_workload bench_thread_io;
extern const struct bench_workload bench_drain_queue;
extern const struct bench_workload bench_drain_mutex;
extern const struct bench_workload bench_fairness;
extern const struct bench_workload bench_submit_latency;
extern const struct bench_workload bench_stats_cost;
extern const struct bench_workload bench_lifecycle;
extern const struct bench_workload bench_overload_pool;
extern const struct bench_workload bench_overload_thread;

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
	&bench_idle_lanes,
	&bench_idle_lanes_shared,
	&bench_pool_try,
	&bench_pool_timing,
	&bench_pool_contain,
	&bench_pool_wait,
	&bench_growth,
	&bench_latency,
	&bench_pacing,
	&bench_unequal,
	&bench_rescue,
	&bench_rescue_cost,
	&bench_guard_cost,
	&bench_first_job,
	&bench_wakeup,
	&bench_idle,
	&bench_allocs,
	&bench_queue_push,
	&bench_queue_pop,
	&bench_pool_until,
	&bench_pool_ctx,
	&bench_scale_empty,
#ifdef BENCH_HAVE_NETTLE
	&bench_scale_sha256,
#endif
	&bench_scale_cpu,
	&bench_scale_io,
	&bench_matrix_empty,
	&bench_matrix_cpu,
	&bench_matrix_io,
	&bench_crowd,
	&bench_crowd_lanes,
	&bench_submit_path,
	&bench_producer_pressure,
	&bench_backpressure,
	&bench_mixed,
	&bench_wait_cpu,
	&bench_thread_empty,
	&bench_thread_cpu,
	&bench_thread_io,
	&bench_drain_queue,
	&bench_drain_mutex,
	&bench_fairness,
	&bench_submit_latency,
	&bench_stats_cost,
	&bench_lifecycle,
	&bench_overload_pool,
	&bench_overload_thread,
	NULL,
};
