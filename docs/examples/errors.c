/* SPDX-License-Identifier: MIT */
/*
 * Errors: a job returns 0 or an error of its own, and there are three ways to learn of it.
 *
 *     wp_submit_wait       returns the job's result to the one who waits for it
 *     options.on_error     is told everything about each job that failed, on the worker's thread
 *     wp_pool_last_error   the last one, kept whether there is a handler or not
 *
 * Nothing is ever printed by the library. The handler may be called on several workers at once;
 * here it writes into the item whose job failed, which nobody else looks at before the shutdown.
 *
 * It prints:
 *
 *     waiting for a job that cannot read: -5
 *     waiting for a job without a function: invalid argument
 *     item 1: job failed (code -5, attempt 1)
 *     item 4: job failed (code -5, attempt 1)
 *     item 7: out of memory (code -12, attempt 1)
 *     9 submitted: 5 completed, 4 failed; last error out of memory
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define ITEMS 8

struct item {
	int result; /* what its job is going to return */
	bool failed;
	int code;
	unsigned attempt;
	char message[64];
};

static int work(void *payload)
{
	const struct item *item = payload;
	return item->result;
}

/* The message is only valid during the call. */
static void on_error(void *self, const struct wp_job_error *error)
{
	(void)self;
	struct item *item = error->payload;
	item->failed = true;
	item->code = error->code;
	item->attempt = error->attempt;
	snprintf(item->message, sizeof(item->message), "%s", error->message);
}

/* Two jobs that are waited for: one fails, one is not accepted. */
static void wait_for_jobs(struct wp_pool *pool)
{
	struct item unreadable = { .result = -EIO };
	struct wp_job job = { .fn = work, .payload = &unreadable };
	printf("waiting for a job that cannot read: %d\n", wp_submit_wait(pool, &job));
	job.fn = NULL;
	printf("waiting for a job without a function: %s\n",
		wp_strerror(wp_submit_wait(pool, &job)));
}

/* The items' jobs are done one after the other: there is one worker. */
static int submit_items(struct wp_pool *pool, struct item *items)
{
	for (int i = 0; i < ITEMS; i++) {
		int err = wp_submit(pool, work, &items[i]);
		if (err)
			return err;
	}
	return wp_pool_wait(pool, WP_FOREVER);
}

static int show(struct wp_pool *pool, const struct item *items)
{
	for (int i = 0; i < ITEMS; i++) {
		if (items[i].failed)
			printf("item %d: %s (code %d, attempt %u)\n", i, items[i].message,
				items[i].code, items[i].attempt);
	}
	struct wp_stats stats = WP_STATS_INIT;
	int err = wp_pool_stats(pool, &stats);
	if (err)
		return err;
	char message[64];
	if (wp_pool_last_error(pool, message, sizeof(message)) != 0)
		printf("%llu submitted: %llu completed, %llu failed; last error %s\n",
			(unsigned long long)stats.submitted, (unsigned long long)stats.completed,
			(unsigned long long)stats.failed, message);
	return 0;
}

int main(void)
{
	struct item items[ITEMS] = {
		[1] = { .result = -EIO }, [4] = { .result = -EIO }, [7] = { .result = WP_ENOMEM }
	};
	struct wp_options options = WP_OPTIONS_INIT;
	options.workers = 1; /* so that there is no doubt which error is the last one */
	options.on_error = on_error;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		wait_for_jobs(pool);
		err = submit_items(pool, items);
		if (!err)
			err = show(pool, items);
		wp_pool_destroy(pool);
	}
	if (err)
		fprintf(stderr, "errors: %s\n", wp_strerror(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
