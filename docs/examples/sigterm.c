/* SPDX-License-Identifier: MIT */
/*
 * Graceful shutdown on SIGTERM or SIGINT: take no more work, finish what was accepted, but not for
 * longer than the service manager allows, and say what became of it.
 *
 * No signal handler is needed. The signals are blocked before any thread is started, and the main
 * thread waits for them with sigwait; a pool's workers block all signals anyway. The thread that
 * submits learns of the shutdown from the pool: its next submit returns WP_ECLOSED. Nothing gets
 * lost between the two, because the close is one atomic step.
 *
 * Run it and press Ctrl-C, or `kill` it. It prints:
 *
 *     working; send SIGTERM to end it
 *     signal ...: draining
 *     all ... accepted jobs were done, none was dropped
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wpool/wpool.h>

#define DRAIN_MS 10000 /* less than the time after which the service manager kills the process */

struct service {
	struct wp_pool *pool;
	uint64_t accepted;
	int err;
};

/* Stands for a request that waits for something for a millisecond. */
static int request(void *payload)
{
	(void)payload;
	return nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Stands for the part of a service that receives requests. */
static void *receive(void *arg)
{
	struct service *service = arg;
	do {
		service->err = wp_submit(service->pool, request, NULL);
		if (!service->err)
			service->accepted++;
	} while (!service->err);
	if (service->err == WP_ECLOSED)
		service->err = 0;
	return NULL;
}

/* Drains until the deadline; what is left then is dropped, and only what runs is waited for. */
static int end_pool(struct wp_pool *pool, struct wp_stop_report *report)
{
	int err = wp_pool_shutdown(pool, wp_after_ms(DRAIN_MS), report);
	return err == WP_EFORCED ? wp_pool_stop(pool, report) : err;
}

static int serve(struct service *service, const sigset_t *signals)
{
	pthread_t receiver;
	int err = pthread_create(&receiver, NULL, receive, service);
	if (err)
		return -err;
	puts("working; send SIGTERM to end it");
	fflush(stdout);

	int number = 0;
	err = -sigwait(signals, &number);
	if (!err)
		printf("signal %s: draining\n", strsignal(number));
	struct wp_stop_report report;
	int end = end_pool(service->pool, &report); /* also ends the receiver */
	pthread_join(receiver, NULL);
	err = err ? err : end ? end : service->err;
	if (err)
		return err;
	if (report.completed == service->accepted && report.dropped == 0)
		printf("all %llu accepted jobs were done, none was dropped\n",
			(unsigned long long)service->accepted);
	else
		printf("of %llu accepted jobs %llu were done, %llu failed, %llu were dropped\n",
			(unsigned long long)service->accepted, (unsigned long long)report.completed,
			(unsigned long long)report.failed, (unsigned long long)report.dropped);
	return 0;
}

int main(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	int err = -pthread_sigmask(SIG_BLOCK, &signals, NULL); /* for all threads to come */
	struct wp_options options = WP_OPTIONS_INIT;
	options.capacity = 100; /* so that there is not much to drain */
	struct service service = { .accepted = 0 };
	if (!err)
		err = wp_pool_create(&service.pool, &options);
	if (!err) {
		err = serve(&service, &signals);
		wp_pool_destroy(service.pool);
	}
	if (err)
		fprintf(stderr, "sigterm: %s\n", wp_strerror(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
