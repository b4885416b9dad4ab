/* SPDX-License-Identifier: MIT */
/*
 * Runs one case in a child process.
 *
 * For workloads whose peak memory must begin at nothing, and for those that leave threads or memory
 * behind. The child is a plain fork: only the calling thread may exist, which is so between cases.
 * It sends its sample back through a pipe; the names in it are constants of the program, at the
 * same address in both. A child that ends badly has told why and ends the program. When the user
 * interrupts, the child is told, too, and when the parent dies the child does.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include "bench.h"

typedef void (*child_fn)(const struct bench_workload *workload, const struct bench_params *params,
	struct bench_sample *sample);

void child_run(child_fn fn, const struct bench_workload *workload,
	const struct bench_params *params, struct bench_sample *sample);

#endif
