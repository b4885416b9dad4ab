/* SPDX-License-Identifier: MIT */
/* The parts of seg_bench that decide whether a figure is right. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "histogram.h"
#include "numbers.h"
#include "pacer.h"
#include "tally.h"
#include "t.h"

/* ---- tally ---- */

#define JOBS 1000

/* Ids 1 .. JOBS through two threads' worth of tallies, with some of them replaced. */
struct fault {
	uint64_t from, to; /* `from` is run as `to`; 0: not at all */
};

static void count_with(const struct fault *faults, size_t n, uint64_t also)
{
	tally_begin(2);
	for (uint64_t id = 1; id <= JOBS; id++) {
		uint64_t run = id;

		if (id == JOBS / 2)
			tally_mine = NULL;
		for (size_t i = 0; i < n; i++)
			if (faults[i].from == id)
				run = faults[i].to;
		if (run != 0)
			tally_job(tally_payload(run));
	}
	if (also != 0)
		tally_job(tally_payload(also));
}

/* What tally_check makes of it: the status that the process ends with, 0 if it returns. */
static int status_of(const struct fault *faults, size_t n, uint64_t also)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(3);
		count_with(faults, n, also);
		tally_check("test", JOBS);
		_exit(0);
	}
	t_assert(child > 0);
	t_assert(waitpid(child, &status, 0) == child);
	t_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

T_TEST(tally, accepts_each_job_once_in_any_order)
{
	const struct fault swapped[] = { { 3, 900 }, { 900, 3 } };

	t_assert_int_eq(status_of(NULL, 0, 0), 0);
	t_assert_int_eq(status_of(swapped, 2, 0), 0);
}

T_TEST(tally, finds_a_lost_job)
{
	const struct fault first[] = { { 1, 0 } }, last[] = { { JOBS, 0 } };

	t_assert_int_eq(status_of(first, 1, 0), 1);
	t_assert_int_eq(status_of(last, 1, 0), 1);
}

T_TEST(tally, finds_a_job_that_ran_twice)
{
	t_assert_int_eq(status_of(NULL, 0, 1), 1);
	t_assert_int_eq(status_of(NULL, 0, JOBS), 1);
}

T_TEST(tally, finds_a_job_run_in_place_of_another)
{
	for (uint64_t id = 2; id <= JOBS; id += 37) {
		struct fault one = { id, id - 1 };

		t_assert_int_eq(status_of(&one, 1, 0), 1);
	}
}

/* Sum kept: the sum of squares must tell. */
T_TEST(tally, finds_two_replaced_whose_sum_is_kept)
{
	const struct fault two[] = { { 100, 110 }, { 200, 190 } };

	t_assert_int_eq(status_of(two, 2, 0), 1);
}

/* 1 + 5 + 6 = 2 + 3 + 7 and 1 + 25 + 36 = 4 + 9 + 49: sum and squares kept, the hash must tell. */
T_TEST(tally, finds_three_replaced_whose_sum_and_squares_are_kept)
{
	const struct fault three[] = { { 1, 2 }, { 5, 3 }, { 6, 7 } };

	t_assert_int_eq(status_of(three, 3, 0), 1);
}

T_TEST(tally, expects_the_right_sums_for_many_sizes)
{
	for (uint64_t jobs = 1; jobs < 300; jobs++) {
		tally_begin(1);
		for (uint64_t id = 1; id <= jobs; id++)
			tally_job(tally_payload(id));
		tally_check("test", jobs); /* ends the process otherwise */
	}
	tally_begin(1);
	for (uint64_t id = 1; id <= 5000000; id++)
		tally_job(tally_payload(id));
	tally_check("test", 5000000);
}

/* ---- histogram ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

T_TEST(histogram, percentiles_are_those_of_the_sorted_values)
{
	enum { N = 20000 };
	static const double shares[] = { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
	struct histogram *h = calloc(1, sizeof(*h));
	uint64_t *values = malloc(N * sizeof(*values)), x = 88172645463325252u;

	t_assert(h != NULL && values != NULL);
	for (size_t i = 0; i < N; i++) {
		/* xorshift, with magnitudes from a nanosecond to minutes */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		values[i] = (x & 0xfffffffffu) >> (x >> 40) % 36;
		histogram_add(h, values[i]);
	}
	qsort(values, N, sizeof(*values), by_value);
	t_assert_u64_eq(h->total, N);
	t_assert_u64_eq(h->max, values[N - 1]);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t exact = values[(size_t)(shares[i] * N + 0.5) - 1];
		uint64_t found = histogram_percentile(h, shares[i]);

		t_assert(found >= exact);
		t_assert(found <= exact + exact / HISTOGRAM_STEPS + 1);
	}
	free(values);
	free(h);
}

T_TEST(histogram, edges)
{
	struct histogram *h = calloc(1, sizeof(*h));

	t_assert(h != NULL);
	t_assert_u64_eq(histogram_percentile(h, 0.5), 0);
	histogram_add(h, UINT64_MAX);
	histogram_add(h, 0);
	t_assert_u64_eq(histogram_percentile(h, 0.5), 0);
	t_assert_u64_eq(histogram_percentile(h, 1), UINT64_MAX);
	t_assert_u64_eq(h->max, UINT64_MAX);
	free(h);
}

/* Every bucket's own upper edge falls into it, and the next value into the next. */
T_TEST(histogram, small_values_are_exact)
{
	for (uint64_t value = 0; value < 2 * HISTOGRAM_STEPS; value++) {
		struct histogram *h = calloc(1, sizeof(*h));

		t_assert(h != NULL);
		histogram_add(h, value);
		histogram_add(h, 1000000);
		t_assert_u64_eq(histogram_percentile(h, 0.5), value);
		free(h);
	}
}

/* ---- numbers ---- */

static const char *listed(const char *text)
{
	static char buffer[256];
	struct numbers list;
	size_t used = 0;

	if (!numbers_parse_list(text, 1, 1000000000, &list))
		return "no";
	for (size_t i = 0; i < list.count; i++)
		used += (size_t)snprintf(buffer + used, sizeof(buffer) - used, "%s%llu",
			i == 0 ? "" : " ", (unsigned long long)list.values[i]);
	return buffer;
}

T_TEST(numbers, lists_and_ranges)
{
	t_assert_str_eq(listed("1"), "1");
	t_assert_str_eq(listed("1,2,4"), "1 2 4");
	t_assert_str_eq(listed("1..16"), "1 2 4 8 16");
	t_assert_str_eq(listed("1..12"), "1 2 4 8 12");
	t_assert_str_eq(listed("3..3"), "3");
	t_assert_str_eq(listed("3..20,1k,1e6"), "3 6 12 20 1000 1000000");
	t_assert_str_eq(listed("2.5k,1M,1G"), "2500 1000000 1000000000");
	t_assert_str_eq(listed("2G"), "no");
	t_assert_str_eq(listed("1,"), "no");
	t_assert_str_eq(listed("2..1"), "no");
	t_assert_str_eq(listed("1..2..4"), "no");
	t_assert_str_eq(listed("1,a..2"), "no");
}

T_TEST(numbers, more_than_fit_are_refused)
{
	char text[4 * NUMBERS_MAX + 8] = "1";
	struct numbers list;

	for (int i = 1; i < NUMBERS_MAX; i++)
		strcat(text, ",1");
	t_assert(numbers_parse_list(text, 1, 9, &list));
	t_assert_u64_eq(list.count, NUMBERS_MAX);
	strcat(text, ",1");
	t_assert(!numbers_parse_list(text, 1, 9, &list));
}

T_TEST(numbers, short_form_reads_back_as_the_same_number)
{
	static const uint64_t values[] = { 0, 1, 999, 1000, 1001, 1100, 65536, 100000, 1500000,
		12345678, 2000000000, 10000000000 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[32];
		uint64_t back;

		numbers_short(values[i], text, sizeof(text));
		t_assert_msg(numbers_parse_one(text, 0, UINT64_MAX, &back), "%s", text);
		t_assert_u64_eq(back, values[i]);
	}
}

/* ---- pacer ---- */

T_TEST(pacer, gap_grows_on_small_claims_and_shrinks_on_full_ones)
{
	struct pacer pacer = { 0 };

	pacer_note(&pacer, 1, 256);
	t_assert_u64_eq(pacer.gap_ns, PACER_GAP_MIN);
	for (int i = 0; i < 20; i++)
		pacer_note(&pacer, 1, 256);
	t_assert_u64_eq(pacer.gap_ns, PACER_GAP_MAX);
	pacer_note(&pacer, 200, 256);
	t_assert_u64_eq(pacer.gap_ns, PACER_GAP_MAX);
	pacer_note(&pacer, 256, 256);
	t_assert_u64_eq(pacer.gap_ns, PACER_GAP_MAX / 2);
	for (int i = 0; i < 20; i++)
		pacer_note(&pacer, 256, 256);
	t_assert_u64_eq(pacer.gap_ns, 0);
}

/* A wait that is not skipped lasts at least as long as the gap: here a second. */
T_TEST(pacer, does_not_wait_after_an_empty_look)
{
	struct pacer pacer = { .gap_ns = 1000000000 };
	uint64_t begin;

	pacer_note(&pacer, 0, 256);
	t_assert_u64_eq(pacer.empty, 1);
	pacer.gap_ns = UINT64_MAX / 2; /* would take for ever */
	pacer_wait(&pacer);
	pacer.empty = 0;
	pacer.gap_ns = 1000000;
	begin = bench_now_ns();
	pacer_wait(&pacer);
	t_assert(bench_now_ns() - begin >= 1000000);
}
