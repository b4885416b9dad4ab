/* SPDX-License-Identifier: MIT */
/*
 * A ledger of constant size for any number of jobs: instead of the jobs it keeps sums over them.
 *
 * Each job has an id and, derived from it, a hash of 128 bits. A fingerprint has FP_CELLS cells;
 * the hash decides which cell a job belongs to, and the cell holds
 *
 *     count = number of jobs,  ids = sum of their ids,  lo, hi = sums of the halves of their hashes
 *
 * all modulo 2^64. Sums do not depend on the order, so every thread keeps a fingerprint of its own
 * as plain memory, and they are joined when the threads have ended. Two fingerprints of the same
 * jobs are equal; of different jobs they are equal with a chance of about 2^-128.
 *
 * When they differ, a cell that is off by one job names it: the difference of ids is its id, and
 * the difference of the hashes has to be the hash of that id. So up to some dozens of mistakes are
 * not only counted but named.
 */
#ifndef WP_TESTS_SOAK_FINGERPRINT_H
#define WP_TESTS_SOAK_FINGERPRINT_H

#include <stdint.h>

#include "base/rng.h"

#define FP_CELLS 64u
#define FP_NAMED 8u

struct fp_cell {
	uint64_t count, ids, lo, hi;
};

struct fingerprint {
	struct fp_cell cell[FP_CELLS];
};

/* What is wrong between what was promised and what was kept. */
struct fp_findings {
	uint64_t lost, duplicated; /* at least that many jobs */
	uint64_t unclear;          /* cells with more than one mistake: nobody is named */
	unsigned named_lost, named_duplicated;
	uint64_t lost_id[FP_NAMED], duplicated_id[FP_NAMED]; /* the first ones that are known */
};

/* 64 bits that depend on all bits of id; another function for each salt. */
static inline uint64_t fp_mix(uint64_t id, uint64_t salt)
{
	struct wp__rng rng = { id ^ salt };
	uint64_t first = wp__rng_next(&rng);
	rng.state = first ^ (salt << 1);
	return wp__rng_next(&rng);
}

static inline struct fp_cell fp_of(uint64_t id)
{
	return (struct fp_cell){
		.count = 1,
		.ids = id,
		.lo = fp_mix(id, UINT64_C(0x243f6a8885a308d3)),
		.hi = fp_mix(id, UINT64_C(0x13198a2e03707344)),
	};
}

static inline void fp_add(struct fingerprint *fp, uint64_t id)
{
	struct fp_cell job = fp_of(id), *cell = &fp->cell[job.hi % FP_CELLS];
	cell->count += job.count;
	cell->ids += job.ids;
	cell->lo += job.lo;
	cell->hi += job.hi;
}

void fp_join(struct fingerprint *into, const struct fingerprint *from);
uint64_t fp_count(const struct fingerprint *fp);

/* Adds to *findings what is in `promised` and not in `kept` (lost), or the other way round. */
void fp_compare(const struct fingerprint *promised, const struct fingerprint *kept,
	struct fp_findings *findings);

#endif
