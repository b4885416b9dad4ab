/* SPDX-License-Identifier: MIT */
/*
 * Time-outs: every call that waits can be given a deadline, and so can a job.
 *
 * Deadlines are points in time on the monotonic clock, made by wp_after_ms or wp_after_ns. One and
 * the same deadline can therefore be passed to several calls that together may take so long.
 *
 *     wp_submit_until      how long to wait for room; the job was not accepted
 *     wp_pool_wait         how long to wait for the pool to be at rest; the pool goes on
 *     wp_pool_shutdown     how long to drain; the pool is closed and goes on draining
 *     a job's context      how long the job itself may take: it asks, and gives up when told so
 *
 * It prints:
 *
 *     submit to a full pool: deadline passed
 *     wait for a busy pool: deadline passed
 *     submit again, with more time: ok
 *     a job with 20 ms of time: deadline passed
 *     shutdown with a job that takes longer: shutdown deadline passed with jobs left
 *     shutdown once more: ok
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

/* A job that holds its worker until it is told to go on, so that the pool is busy. */
struct gate {
	sem_t entered, open;
};

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0 && errno == EINTR)
		;
}

static int hold(void *payload)
{
	struct gate *gate = payload;
	sem_post(&gate->entered);
	wait_for(&gate->open);
	return 0;
}

static int nothing(void *payload)
{
	(void)payload;
	return 0;
}

/* Would go on for ever: works a little, then asks whether it is still wanted. */
static int endless(void *payload)
{
	(void)payload;
	for (;;) {
		struct wp_ctx *ctx = wp_job_current()->ctx;
		int err = wp_ctx_wait(ctx, wp_after_ms(1)); /* stands for a bit of work */
		if (err)
			return err;
	}
}

static void show(const char *what, int err)
{
	printf("%s: %s\n", what, err ? wp_strerror(err) : "ok");
}

static int submit_and_wait(struct wp_pool *pool, struct gate *gate)
{
	struct wp_job job = { .fn = nothing };
	int err = wp_submit(pool, hold, gate);
	if (err)
		return err;
	wait_for(&gate->entered); /* the worker is busy ... */
	err = wp_submit_job(pool, &job);
	if (!err) { /* ... and the pool, with a capacity of 1, is full */
		show("submit to a full pool", wp_submit_until(pool, &job, wp_after_ms(20)));
		show("wait for a busy pool", wp_pool_wait(pool, wp_after_ms(20)));
	}
	sem_post(&gate->open);
	if (err)
		return err;
	show("submit again, with more time", wp_submit_until(pool, &job, wp_after_ms(60000)));
	return wp_pool_wait(pool, WP_FOREVER);
}

static int job_with_deadline(struct wp_pool *pool)
{
	struct wp_ctx *ctx;
	int err = wp_ctx_create(&ctx, NULL, wp_after_ms(20));
	if (err)
		return err;
	struct wp_job job = { .fn = endless, .ctx = ctx };
	show("a job with 20 ms of time", wp_submit_wait(pool, &job));
	wp_ctx_unref(ctx);
	return 0;
}

static int shut_down(struct wp_pool *pool, struct gate *gate)
{
	int err = wp_submit(pool, hold, gate);
	if (err)
		return err;
	wait_for(&gate->entered);
	show("shutdown with a job that takes longer",
		wp_pool_shutdown(pool, wp_after_ms(20), NULL));
	sem_post(&gate->open);
	show("shutdown once more", wp_pool_shutdown(pool, WP_FOREVER, NULL));
	return 0;
}

int main(void)
{
	struct gate gate;
	if (sem_init(&gate.entered, 0, 0) != 0 || sem_init(&gate.open, 0, 0) != 0) {
		perror("sem_init");
		return EXIT_FAILURE;
	}
	struct wp_options options = WP_OPTIONS_INIT;
	options.workers = 1;
	options.capacity = 1;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		err = submit_and_wait(pool, &gate);
		if (!err)
			err = job_with_deadline(pool);
		if (!err)
			err = shut_down(pool, &gate);
		wp_pool_destroy(pool);
	}
	if (err)
		fprintf(stderr, "timeout: %s\n", wp_strerror(err));
	sem_destroy(&gate.entered);
	sem_destroy(&gate.open);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
