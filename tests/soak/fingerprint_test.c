/* SPDX-License-Identifier: MIT */
/* The soak's ledger notices what it is there to notice. */
#include "fingerprint.h"

#include <string.h>

#include "t.h"

#define JOBS 100000u

/* Ids as the soak has them: few bits differ. */
static uint64_t id_of(uint64_t n)
{
	return UINT64_C(0x2004000000000000) + n;
}

static void fill(struct fingerprint *fp, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		fp_add(fp, id_of(i));
}

static struct fp_findings compare(const struct fingerprint *a, const struct fingerprint *b)
{
	struct fp_findings f;
	memset(&f, 0, sizeof(f));
	fp_compare(a, b, &f);
	return f;
}

T_TEST(fingerprint, does_not_depend_on_order_or_parts)
{
	static struct fingerprint promised, kept[3];
	fill(&promised, 0, JOBS);
	for (uint64_t i = JOBS; i-- > 0;)
		fp_add(&kept[i * 7 % 3], id_of(i));
	fp_join(&kept[0], &kept[1]);
	fp_join(&kept[0], &kept[2]);
	struct fp_findings f = compare(&promised, &kept[0]);
	t_assert_u64_eq(f.lost + f.duplicated + f.unclear, 0);
	t_assert_u64_eq(fp_count(&kept[0]), JOBS);
	t_assert(memcmp(&promised, &kept[0], sizeof(promised)) == 0);
}

T_TEST(fingerprint, names_the_job_that_is_lost)
{
	static struct fingerprint promised, kept;
	fill(&promised, 0, JOBS);
	fill(&kept, 0, 777);
	fill(&kept, 778, JOBS);
	struct fp_findings f = compare(&promised, &kept);
	t_assert_u64_eq(f.lost, 1);
	t_assert_u64_eq(f.duplicated + f.unclear, 0);
	t_assert_u64_eq(f.named_lost, 1);
	t_assert_u64_eq(f.lost_id[0], id_of(777));
}

T_TEST(fingerprint, names_the_job_that_came_twice)
{
	static struct fingerprint promised, kept;
	fill(&promised, 0, JOBS);
	fill(&kept, 0, JOBS);
	fp_add(&kept, id_of(JOBS - 1));
	struct fp_findings f = compare(&promised, &kept);
	t_assert_u64_eq(f.duplicated, 1);
	t_assert_u64_eq(f.lost + f.unclear, 0);
	t_assert_u64_eq(f.named_duplicated, 1);
	t_assert_u64_eq(f.duplicated_id[0], id_of(JOBS - 1));
}

/* One lost and another one twice: the numbers are right and the jobs are not. */
T_TEST(fingerprint, is_not_deceived_by_equal_numbers)
{
	for (uint64_t other = 1; other < 300; other++) {
		struct fingerprint promised, kept;
		memset(&promised, 0, sizeof(promised));
		memset(&kept, 0, sizeof(kept));
		fill(&promised, 0, 300);
		fill(&kept, 1, 300);
		fp_add(&kept, id_of(other));
		t_assert_u64_eq(fp_count(&kept), fp_count(&promised));
		struct fp_findings f = compare(&promised, &kept);
		t_assert_u64_eq(f.lost, 1);
		t_assert_u64_eq(f.duplicated, 1);
	}
}

T_TEST(fingerprint, counts_mistakes_of_one_cell)
{
	static struct fingerprint promised, kept;
	fill(&promised, 0, JOBS);
	struct fp_findings f = compare(&promised, &kept);
	t_assert_u64_eq(f.lost, JOBS);
	t_assert_u64_eq(f.unclear, FP_CELLS);
	f = compare(&kept, &promised);
	t_assert_u64_eq(f.duplicated, JOBS);
	t_assert_u64_eq(f.lost, 0);
}

/* A job of another id is a loss and a stranger, even where the ids differ by one bit. */
T_TEST(fingerprint, tells_jobs_apart_by_every_bit)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		struct fp_cell a = fp_of(0), b = fp_of(UINT64_C(1) << bit);
		t_assert(a.lo != b.lo && a.hi != b.hi && (a.lo ^ b.lo) != (a.hi ^ b.hi));
	}
}
