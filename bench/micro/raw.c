/* SPDX-License-Identifier: MIT */
/* The raw limit as seg_bench measures it, in runs as short as the variants'. */
#include "run.h"

#define bench_raw_limit raw_limit_as_it_is
#include "../raw_limit.c" /* NOLINT: its function is static */
#undef bench_raw_limit

static void run_quietly(const struct bench_params *p, struct bench_sample *sample)
{
	micro_quietly(run, p, 2, sample);
}

const struct bench_workload bench_raw_limit = {
	.name = "raw_limit",
	.about = "bare hand-over of 32-byte jobs between two cores: the physical limit",
	.kind = BENCH_TIME,
	.jobs = 256000,
	.quick_jobs = 64000,
	.run = run_quietly,
};
