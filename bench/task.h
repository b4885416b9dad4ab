/* SPDX-License-Identifier: MIT */
/*
 * Jobs that do something: what other pools' benchmarks run, with the result checked.
 *
 *   empty    counts itself (tally.h)
 *   sha256   SHA-256 of 8 KiB, by nettle; the digest is compared with the right one
 *   cpu      100,000 additions, each waiting for the one before; the sum is checked
 *   io       sleeps 1 ms, as a job does that waits for a disk or a peer
 *   mixed    every fifth job is cpu, the others empty
 *
 * All count themselves; a wrong result ends the program. A sleep of 1 ms takes some 60 us more, the
 * kernel's timer slack: ask what the bare job takes, not what its name says.
 */
#ifndef BENCH_TASK_H
#define BENCH_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

struct task {
	int (*fn)(void *payload); /* the payload is the job's id */
	bool sleeps;              /* so that its rate is not bounded by the CPUs */
	uint64_t per_worker;      /* jobs of a run per worker at most; 0: any */
};

extern const struct task task_empty;
extern const struct task task_cpu;
extern const struct task task_io;
extern const struct task task_mixed;
#ifdef BENCH_HAVE_NETTLE
extern const struct task task_sha256;
#endif

/*
 * ns per job of each of so many threads that call them in a loop at the same time: two CPUs at work
 * are often slower than one is, whoever gives them the work.
 */
double task_bare_ns(const struct task *task, unsigned threads, bool brief);

/* Burns CPU time of the calling thread, by its own clock, until `ns` of it have been used. */
void task_burn_ns(uint64_t ns);

#endif
