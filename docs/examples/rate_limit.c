/* SPDX-License-Identifier: MIT */
/*
 * Rate limiting by backpressure: the workers keep to a rate, and a small pool makes everybody else
 * keep to it, too.
 *
 * Each job takes the next of a row of start times that lie 1 ms apart, and sleeps until then. When
 * the workers are behind with that, the pool fills up; then wp_submit waits, and so whoever
 * produces goes no faster than the limit, with no more under way than capacity and workers. A
 * sleeping job costs nothing but its worker.
 *
 * batch_max = 1 has each worker take one job at a time: else what the workers have claimed and not
 * started comes on top of that.
 *
 * It prints:
 *
 *     100 requests were sent, not one before its time
 *     not faster than 1000 a second: yes
 *     never more than 10 were under way: yes
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define REQUESTS    100
#define WORKERS     2
#define CAPACITY    8
#define INTERVAL_NS 1000000 /* 1000 a second */

struct limiter {
	uint64_t begin;        /* when the first request may be sent */
	atomic_uint next;      /* the next start time in the row */
	atomic_uint too_early; /* must stay 0 */
	atomic_uint sent;
};

/* A sleep on the clock that deadlines use; without a context it ends at its deadline only. */
static void sleep_until(uint64_t time)
{
	while (wp_now_ns() < time)
		(void)wp_ctx_wait(NULL, time);
}

static int send_request(void *payload)
{
	struct limiter *limiter = payload;
	uint64_t time =
		limiter->begin + (uint64_t)atomic_fetch_add(&limiter->next, 1) * INTERVAL_NS;
	sleep_until(time);
	if (wp_now_ns() < time)
		atomic_fetch_add(&limiter->too_early, 1);
	atomic_fetch_add(&limiter->sent, 1); /* here the request would be sent */
	return 0;
}

/* As fast as it can, which is as fast as it may. The most that were under way, or an error. */
static int produce(struct wp_pool *pool, struct limiter *limiter)
{
	int most = 0;
	for (int i = 0; i < REQUESTS; i++) {
		int err = wp_submit(pool, send_request, limiter);
		if (err)
			return err;
		int under_way = i + 1 - (int)atomic_load(&limiter->sent);
		most = under_way > most ? under_way : most;
	}
	return most;
}

int main(void)
{
	struct wp_options options = WP_OPTIONS_INIT;
	options.workers = WORKERS;
	options.capacity = CAPACITY;
	options.batch_max = 1;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (err) {
		fprintf(stderr, "wp_pool_create: %s\n", wp_strerror(err));
		return EXIT_FAILURE;
	}
	struct limiter limiter = { .begin = wp_now_ns() };
	int most = produce(pool, &limiter);
	err = wp_pool_shutdown(pool, WP_FOREVER, NULL);
	uint64_t took = wp_now_ns() - limiter.begin;
	wp_pool_destroy(pool);
	if (most < 0 || err) {
		fprintf(stderr, "rate_limit: %s\n", wp_strerror(most < 0 ? most : err));
		return EXIT_FAILURE;
	}
	printf("%u requests were sent, %s before its time\n", atomic_load(&limiter.sent),
		atomic_load(&limiter.too_early) ? "some" : "not one");
	printf("not faster than 1000 a second: %s\n",
		took >= (uint64_t)(REQUESTS - 1) * INTERVAL_NS ? "yes" : "no");
	printf("never more than %d were under way: %s\n", CAPACITY + WORKERS,
		most <= CAPACITY + WORKERS ? "yes" : "no");
	return EXIT_SUCCESS;
}
