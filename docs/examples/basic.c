/* SPDX-License-Identifier: MIT */
/*
 * Basic use: a pool with a worker per usable CPU, a hundred jobs, and what became of them.
 *
 * Each job gets a payload of its own and writes its result there, so that no two jobs share
 * anything. When wp_pool_shutdown has returned 0 all of them have run, and their results can be
 * read.
 *
 * It prints:
 *
 *     the squares of 0 to 99 add up to 328350
 *     100 jobs completed, 0 failed
 */
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define TASKS 100

struct task {
	int number;
	long square;
};

/* The work. 0 is success. */
static int square(void *payload)
{
	struct task *task = payload;
	task->square = (long)task->number * task->number;
	return 0;
}

static int failed(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, wp_strerror(err));
	return EXIT_FAILURE;
}

int main(void)
{
	struct task tasks[TASKS];
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, NULL); /* NULL: all options have their defaults */
	if (err)
		return failed("wp_pool_create", err);

	for (int i = 0; i < TASKS && !err; i++) {
		tasks[i] = (struct task){ .number = i };
		err = wp_submit(pool, square, &tasks[i]);
	}

	/* Also after an error: jobs that were accepted use `tasks` until they have run. */
	struct wp_stop_report report;
	int end = wp_pool_shutdown(pool, WP_FOREVER, &report);
	wp_pool_destroy(pool);
	if (err || end)
		return failed(err ? "wp_submit" : "wp_pool_shutdown", err ? err : end);

	long sum = 0;
	for (int i = 0; i < TASKS; i++)
		sum += tasks[i].square;
	printf("the squares of 0 to %d add up to %ld\n", TASKS - 1, sum);
	printf("%llu jobs completed, %llu failed\n", (unsigned long long)report.completed,
		(unsigned long long)report.failed);
	return EXIT_SUCCESS;
}
