/* SPDX-License-Identifier: MIT */
/*
 * Cancellation: a service works on two requests, and the client of one of them goes away.
 *
 * All jobs of a request carry its context, a child of the service's. Cancelling it
 *
 *     - has the running job told, which asks wp_ctx_err now and then and returns;
 *     - keeps the queued ones from being run: their cleanups still are;
 *     - has further submits refused;
 *     - leaves the other request alone.
 *
 * A job holds a reference to its context, so the request can let go of it at any time.
 *
 * It prints:
 *
 *     one more job for this request: cancelled
 *     a job for the other request: ok
 *     the running job was told: cancelled
 *     completed 1, failed 1, cancelled 3; cleaned up 5
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define JOBS 4

struct work {
	sem_t started;
	uint64_t number;
	int told; /* why the running job returned; read when all is over */
	atomic_int cleaned;
};

static uint64_t step(uint64_t number)
{
	for (int i = 0; i < 1000; i++)
		number = number * 6364136223846793005 + 1442695040888963407;
	return number;
}

/* Has no end of its own: works in small steps, and asks between them. */
static int long_work(void *payload)
{
	struct work *work = payload;
	sem_post(&work->started);
	int err;
	while ((err = wp_ctx_err(wp_job_current()->ctx)) == 0)
		work->number = step(work->number);
	work->told = err;
	return err;
}

static int short_work(void *payload)
{
	(void)payload;
	return 0;
}

/* Once for each accepted job, whether it was run or not. */
static void clean_up(void *payload)
{
	struct work *work = payload;
	atomic_fetch_add(&work->cleaned, 1);
}

static void show(const char *what, int err)
{
	printf("%s: %s\n", what, err ? wp_strerror(err) : "ok");
}

/* One job that the only worker starts, and others that wait behind it. */
static int submit_request(struct wp_pool *pool, struct wp_ctx *request, struct work *work)
{
	for (int i = 0; i < JOBS; i++) {
		struct wp_job job = {
			.fn = long_work, .payload = work, .ctx = request, .cleanup = clean_up
		};
		int err = wp_submit_job(pool, &job);
		if (err)
			return err;
	}
	while (sem_wait(&work->started) != 0 && errno == EINTR)
		;
	return 0;
}

static int serve(struct wp_pool *pool, struct wp_ctx *service, struct work *work)
{
	struct wp_ctx *request, *other;
	int err = wp_ctx_create(&request, service, WP_FOREVER);
	if (err)
		return err;
	err = wp_ctx_create(&other, service, WP_FOREVER);
	if (!err) {
		err = submit_request(pool, request, work);
		wp_ctx_cancel(request, 0); /* the client has gone; 0 means WP_ECANCELED */
		struct wp_job job = {
			.fn = short_work, .payload = work, .ctx = request, .cleanup = clean_up
		};
		int refused = wp_submit_job(pool, &job);
		job.ctx = other;
		int result = wp_submit_wait(pool, &job);
		if (!err) {
			show("one more job for this request", refused);
			show("a job for the other request", result);
		}
		wp_ctx_unref(other);
	}
	wp_ctx_unref(request);
	return err;
}

static int run(struct wp_pool *pool, struct work *work)
{
	struct wp_ctx *service;
	int err = wp_ctx_create(&service, NULL, WP_FOREVER);
	if (err)
		return err;
	err = serve(pool, service, work);
	wp_ctx_cancel(service, 0); /* whatever is left of all requests */
	wp_ctx_unref(service);
	return err;
}

int main(void)
{
	struct work work = { .number = 1 };
	if (sem_init(&work.started, 0, 0) != 0) {
		perror("sem_init");
		return EXIT_FAILURE;
	}
	struct wp_options options = WP_OPTIONS_INIT;
	options.workers = 1; /* so that there is always one running and the others wait */
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		err = run(pool, &work);
		struct wp_stop_report report;
		int end = wp_pool_shutdown(pool, WP_FOREVER, &report);
		wp_pool_destroy(pool);
		err = err ? err : end;
		if (!err) {
			show("the running job was told", work.told);
			printf("completed %llu, failed %llu, cancelled %llu; cleaned up %d\n",
				(unsigned long long)report.completed,
				(unsigned long long)report.failed,
				(unsigned long long)report.cancelled, atomic_load(&work.cleaned));
		}
	}
	if (err)
		fprintf(stderr, "cancel: %s\n", wp_strerror(err));
	sem_destroy(&work.started);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
