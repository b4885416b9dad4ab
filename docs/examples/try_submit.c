/* SPDX-License-Identifier: MIT */
/*
 * Try-submit and backpressure: what to do when the pool is full.
 *
 * A pool holds exactly options.capacity queued jobs. wp_try_submit never waits: it returns
 * WP_EFULL, and the caller decides. Here he does the work himself, which slows him down just as
 * much as is needed. wp_submit waits until there is room: nothing is refused, and the caller goes
 * no faster than the workers.
 *
 * To show it each time in the same way, the only worker is held by a first job until the pool is
 * full.
 *
 * It prints:
 *
 *     tried 6 items: 4 queued, 2 refused (no room) and done by the caller
 *     submitted 20 items more, waiting for room: 20 accepted
 *     26 items are done, 24 of them by the pool
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define CAPACITY 4
#define TRIES    6
#define MORE     20

struct gate {
	sem_t entered, open;
};

/* A signal may interrupt a semaphore's wait. */
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

static int do_item(void *payload)
{
	atomic_int *done = payload;
	atomic_fetch_add(done, 1);
	return 0;
}

/* Fills the pool without waiting, and does itself what does not fit. */
static int try_items(struct wp_pool *pool, atomic_int *done)
{
	struct wp_job job = { .fn = do_item, .payload = done };
	int queued = 0, refused = 0;
	for (int i = 0; i < TRIES; i++) {
		int err = wp_try_submit(pool, &job);
		if (err == WP_EFULL) {
			refused++;
			do_item(done);
		} else if (err) {
			return err;
		} else {
			queued++;
		}
	}
	printf("tried %d items: %d queued, %d refused (no room) and done by the caller\n", TRIES,
		queued, refused);
	return 0;
}

/* Goes at the pool's pace. */
static int submit_items(struct wp_pool *pool, atomic_int *done)
{
	int accepted = 0;
	for (int i = 0; i < MORE; i++) {
		int err = wp_submit(pool, do_item, done);
		if (err)
			return err;
		accepted++;
	}
	printf("submitted %d items more, waiting for room: %d accepted\n", MORE, accepted);
	return 0;
}

static int run(struct wp_pool *pool, struct gate *gate, atomic_int *done)
{
	int err = wp_submit(pool, hold, gate);
	if (err)
		return err;
	wait_for(&gate->entered); /* the worker has it: nothing is queued now */
	err = try_items(pool, done);
	sem_post(&gate->open);
	return err ? err : submit_items(pool, done);
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
	options.capacity = CAPACITY;
	atomic_int done = 0;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		err = run(pool, &gate, &done);
		struct wp_stop_report report;
		int end = wp_pool_shutdown(pool, WP_FOREVER, &report);
		wp_pool_destroy(pool);
		err = err ? err : end;
		if (!err) /* one of the pool's jobs was the gate */
			printf("%d items are done, %d of them by the pool\n", atomic_load(&done),
				(int)report.completed - 1);
	}
	if (err)
		fprintf(stderr, "try_submit: %s\n", wp_strerror(err));
	sem_destroy(&gate.entered);
	sem_destroy(&gate.open);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
