/* SPDX-License-Identifier: MIT */
/*
 * The pacing of a consumer: how long to wait between two looks at a queue.
 *
 * A consumer that looks as often as it can catches up with the producers. From then on each look
 * finds one job or two, and each job costs several cache-line transfers between the cores: the
 * ready word, the slot, the head. A consumer that waits a little while jobs flow finds many at once
 * and pays those transfers once for all of them; the producer, too, is left alone with its lines.
 * The difference is a factor of three to ten. The pool's own workers do the same; this is the
 * smallest form of it, for those who use wp_queue with threads of their own.
 *
 * The rules:
 *   - a small claim: jobs flow, but we are too eager: the gap doubles, up to PACER_GAP_MAX;
 *   - a full claim: the gap is more than enough: it halves;
 *   - nothing found: no wait before the next look, so that a job that comes alone is not delayed by
 *     the gap. The gap is kept for when jobs flow again.
 *
 * Call pacer_wait before each look and pacer_note after it, with how many jobs it found.
 */
#ifndef BENCH_PACER_H
#define BENCH_PACER_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"

#define PACER_GAP_MIN   125  /* ns: less than one round of cache-line transfers does nothing */
#define PACER_GAP_MAX   4000 /* ns: the delay a job may suffer while jobs flow */
#define PACER_EMPTY_MAX 64   /* empty looks in a row before the CPU is offered to others */

struct pacer {
	uint64_t gap_ns;
	unsigned empty; /* looks in a row that found nothing */
	bool crowded;   /* more threads than CPUs: waiting means letting others run */
};

static inline void pacer_wait(struct pacer *pacer)
{
	uint64_t until;

	if (pacer->empty != 0 || pacer->gap_ns == 0)
		return;
	if (pacer->crowded) {
		sched_yield();
		return;
	}
	until = bench_now_ns() + pacer->gap_ns;
	while (bench_now_ns() < until)
		bench_relax();
}

static inline void pacer_note(struct pacer *pacer, size_t found, size_t most)
{
	if (found == 0) {
		bench_relax();
		if (++pacer->empty >= PACER_EMPTY_MAX || pacer->crowded)
			sched_yield();
		return;
	}
	pacer->empty = 0;
	if (found >= most)
		pacer->gap_ns /= 2;
	else if (found < most / 2)
		pacer->gap_ns = pacer->gap_ns == 0 ? PACER_GAP_MIN : pacer->gap_ns * 2;
	if (pacer->gap_ns > PACER_GAP_MAX)
		pacer->gap_ns = PACER_GAP_MAX;
}

#endif
