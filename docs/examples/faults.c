/* SPDX-License-Identifier: MIT */
/*
 * Contained faults: one job of a hundred follows a wild pointer, and the other 99 are done.
 *
 * With options.contain_faults a SIGSEGV, SIGBUS, SIGFPE or SIGILL raised by a job, and the overflow
 * of its stack, become a panic of that job. Without it, the default, the process dies. Containing a
 * fault repairs nothing: what the job held stays held, and what it wrote stays written; read
 * docs/faults.md before you use it, let the service drain, and let the process end.
 *
 * Sanitizers need these signals for themselves: do not combine them with this option.
 *
 * It prints:
 *
 *     the job of record 42 was given up: signal SIGSEGV at address 0x10
 *     99 completed, 1 panicked
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define RECORDS 100

struct record {
	const volatile int *value;
	int copy;
};

static int copy_value(void *payload)
{
	struct record *record = payload;
	record->copy = *record->value;
	return 0;
}

/* Called once in this program: for one bad record. It must do no more than it has to. */
static void on_error(void *self, const struct wp_job_error *error)
{
	struct wp_job_error *kept = self;
	*kept = *error; /* what message, frames and backtrace point to is gone after the call */
}

static int run(struct wp_pool *pool, struct record *records)
{
	for (int i = 0; i < RECORDS; i++) {
		int err = wp_submit(pool, copy_value, &records[i]);
		if (err)
			return err;
	}
	return 0;
}

int main(void)
{
	static const int good = 7;
	static struct record records[RECORDS];
	for (int i = 0; i < RECORDS; i++)
		records[i].value = &good;
	records[42].value = (const volatile int *)(uintptr_t)16; /* the bug */

	struct wp_job_error error = { .signal = 0 };
	struct wp_options options = WP_OPTIONS_INIT;
	options.contain_faults = true;
	options.on_error = on_error;
	options.on_error_self = &error;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (err) {
		fprintf(stderr, "wp_pool_create: %s\n", wp_strerror(err));
		return EXIT_FAILURE;
	}
	err = run(pool, records);
	struct wp_stop_report report;
	int end = wp_pool_shutdown(pool, WP_FOREVER, &report);
	wp_pool_destroy(pool);
	if (err || end) {
		fprintf(stderr, "faults: %s\n", wp_strerror(err ? err : end));
		return EXIT_FAILURE;
	}
	if (error.signal)
		printf("the job of record %d was given up: signal %s at address %p\n",
			(int)((struct record *)error.payload - records),
			error.signal == SIGSEGV ? "SIGSEGV" : "of another kind", error.address);
	printf("%llu completed, %llu panicked\n", (unsigned long long)report.completed,
		(unsigned long long)report.panicked);
	return EXIT_SUCCESS;
}
