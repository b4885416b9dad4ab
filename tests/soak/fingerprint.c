/* SPDX-License-Identifier: MIT */
#include "fingerprint.h"

#include <stdbool.h>
#include <stddef.h>

void fp_join(struct fingerprint *into, const struct fingerprint *from)
{
	for (size_t i = 0; i < FP_CELLS; i++) {
		into->cell[i].count += from->cell[i].count;
		into->cell[i].ids += from->cell[i].ids;
		into->cell[i].lo += from->cell[i].lo;
		into->cell[i].hi += from->cell[i].hi;
	}
}

uint64_t fp_count(const struct fingerprint *fp)
{
	uint64_t count = 0;
	for (size_t i = 0; i < FP_CELLS; i++)
		count += fp->cell[i].count;
	return count;
}

static struct fp_cell less(struct fp_cell a, struct fp_cell b)
{
	return (struct fp_cell){ a.count - b.count, a.ids - b.ids, a.lo - b.lo, a.hi - b.hi };
}

/* The difference is one job, and this is the right cell for it. */
static bool is_one_job(struct fp_cell difference, size_t place)
{
	struct fp_cell job = fp_of(difference.ids);
	return difference.count == 1 && difference.lo == job.lo && difference.hi == job.hi &&
	       job.hi % FP_CELLS == place;
}

static void name(unsigned *n, uint64_t *ids, uint64_t id)
{
	if (*n < FP_NAMED)
		ids[(*n)++] = id;
}

static void judge(struct fp_cell promised, struct fp_cell kept, size_t place, struct fp_findings *f)
{
	struct fp_cell missing = less(promised, kept), surplus = less(kept, promised);
	if (!(missing.count | missing.ids | missing.lo | missing.hi))
		return;
	if (is_one_job(missing, place)) {
		f->lost++;
		name(&f->named_lost, f->lost_id, missing.ids);
		return;
	}
	if (is_one_job(surplus, place)) {
		f->duplicated++;
		name(&f->named_duplicated, f->duplicated_id, surplus.ids);
		return;
	}
	f->unclear++;
	if (missing.count == 0) {
		f->lost++;
		f->duplicated++;
	} else if (missing.count < surplus.count) {
		f->lost += missing.count;
	} else {
		f->duplicated += surplus.count;
	}
}

void fp_compare(const struct fingerprint *promised, const struct fingerprint *kept,
	struct fp_findings *findings)
{
	for (size_t i = 0; i < FP_CELLS; i++)
		judge(promised->cell[i], kept->cell[i], i, findings);
}
