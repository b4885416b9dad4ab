/* SPDX-License-Identifier: MIT */
/* main() of a unit test under Criterion: its usual options, plus our line of counts at the end. */
#include <stdio.h>
#include <stdlib.h>

#include "t.h"

#include <criterion/hooks.h>
#include <criterion/options.h>

static size_t passed, failed, skipped;

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	passed = stats->tests_passed;
	failed = stats->tests_failed;
	skipped = stats->tests_skipped;
}

static void scale_timeouts(struct criterion_test_set *set, double scale)
{
	FOREACH_SET(struct criterion_suite_set * suite, set->suites)
	{
		FOREACH_SET(struct criterion_test * test, suite->tests)
		test->data->timeout *= scale;
	}
}

/* Criterion starts this program again for each test and looks main() up as a dynamic symbol. */
__attribute__((visibility("default"))) int main(int argc, char **argv)
{
	struct criterion_test_set *set = criterion_initialize();
	const char *scale = getenv("WP_TEST_TIMEOUT_SCALE");
	if (scale && atof(scale) > 0)
		scale_timeouts(set, atof(scale));
	/* The tests have threads enough of their own. */
	criterion_options.jobs = 1;
	int ok = 1;
	if (criterion_handle_args(argc, argv, true)) {
		ok = criterion_run_all_tests(set);
		printf("%zu passed, %zu failed, %zu skipped\n", passed, failed, skipped);
	}
	criterion_finalize(set);
	return ok && failed == 0 ? 0 : 1;
}
