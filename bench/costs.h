/* SPDX-License-Identifier: MIT */
/*
 * What a case costs beside time: calls of the heap, and memory.
 *
 * Heap calls are counted exactly over the timed region (mallocs.h): everything that hands out
 * memory, free not counted. Where the build cannot count, the value is left out.
 *
 * Peak memory is the most that the process had resident during the whole case, creation of the
 * pool included, beyond what it had before. The kernel keeps that mark (VmHWM) and sets it back
 * when 5 is written to /proc/self/clear_refs. Kernels that refuse run each case in a child process,
 * whose mark begins with its own life (child.h). Memory that an earlier case left in the heap would
 * hide what the next one takes, so it is given back first. Pages are counted when they are touched,
 * not when they are reserved; what the benchmark itself keeps per thread (tally.h) is contained.
 */
#ifndef BENCH_COSTS_H
#define BENCH_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

/* Around the timed region; costs_end adds the value "heap calls". Nothing in between is shared. */
void costs_begin(void);
void costs_end(struct bench_sample *sample);

/* Whether this kernel sets the mark back. Looked up once. */
bool costs_can_reset_peak(void);

/* Resident bytes now, and the most since the mark was set back or the process began. */
uint64_t costs_resident_bytes(void);
uint64_t costs_peak_bytes(void);

/* Runs the workload and adds the value "peak memory"; in a child process where it has to be. */
void costs_run(const struct bench_workload *workload, const struct bench_params *params,
	struct bench_sample *sample);

#endif
