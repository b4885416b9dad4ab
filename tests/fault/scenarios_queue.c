/* SPDX-License-Identifier: MIT */
/* Scenarios without a pool: the bare queue, and what can be asked of the machine. */
#define _GNU_SOURCE
#include "scenarios.h"

#include <stdlib.h>

#include <wpool/wpool.h>

#include "base/os.h"
#include "doors.h"

/* ---- queues ---- */

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static struct wp_job a_job(void)
{
	return (struct wp_job){ .fn = no_job };
}

static struct wp_queue *make_queue(size_t capacity, uint32_t segment_count)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	o.capacity = capacity;
	o.segment_size = 2;
	o.segment_count = segment_count;
	struct wp_queue *q = (void *)&o;
	CALL(int, error, wp_queue_create(&q, &o));
	if (!error)
		return q;
	t_assert_int_eq(error, WP_ENOMEM);
	t_assert(!q && sweep_has_failed());
	return NULL;
}

void scenario_queue_use(void)
{
	struct wp_queue *q = make_queue(5, 2);
	struct wp_job job = a_job(), out[8];
	struct wp_job jobs[3] = { job, job, job };
	if (!q)
		return;
	for (unsigned round = 0; round < 10; round++) {
		EXPECT(wp_queue_push(q, &job), 0);
		EXPECT(wp_queue_try_push(q, &job), 0);
		EXPECT(wp_queue_push_many(q, jobs, 3), 3);
		EXPECT(wp_queue_try_push(q, &job), WP_EFULL);
		EXPECT(wp_queue_push_until(q, &job, wp_after_ns(1000)), WP_ETIMEDOUT);
		EXPECT(wp_queue_pop_many(q, out, 8), 5);
	}
	EXPECT(wp_queue_depth(q), 0);
	wp_queue_close(q);
	EXPECT(wp_queue_push(q, &job), WP_ECLOSED);
	wp_queue_destroy(q);
}

static void *push_ten(void *arg)
{
	struct wp_queue *q = arg;
	struct wp_job job = a_job();
	for (unsigned i = 0; i < 10; i++)
		EXPECT(wp_queue_push(q, &job), 0);
	EXPECT(wp_queue_push_until(q, &job, wp_after_ns(LONG_NS)), 0);
	return NULL;
}

void scenario_queue_waits_for_room(void)
{
	struct wp_queue *q = make_queue(1, 0);
	if (!q)
		return;
	struct door_thread *thread = door_thread_start(push_ten, q);
	for (unsigned got = 0; got < 11;) {
		struct wp_job out[2];
		wp__os_sleep(20000);
		got += (unsigned)wp_queue_pop_many(q, out, 2);
	}
	door_thread_join(thread);
	EXPECT(wp_queue_depth(q), 0);
	wp_queue_destroy(q);
}

static void *push_until_closed(void *arg)
{
	struct wp_job job = a_job();
	EXPECT(wp_queue_push(arg, &job), WP_ECLOSED);
	return NULL;
}

void scenario_queue_closed_while_waiting(void)
{
	struct wp_queue *q = make_queue(2, 0);
	if (!q)
		return;
	struct wp_job job = a_job(), out[4];
	EXPECT(wp_queue_try_push(q, &job), 0);
	EXPECT(wp_queue_try_push(q, &job), 0);
	struct door_thread *thread = door_thread_start(push_until_closed, q);
	wp__os_sleep(300000);
	wp_queue_close(q);
	door_thread_join(thread);
	EXPECT(wp_queue_pop_many(q, out, 4), 2);
	wp_queue_destroy(q);
}

/* One producer, and a close that finds membarrier missing: it takes longer, and is as exact. */
void scenario_queue_single(void)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	o.capacity = 3;
	o.segment_size = 2;
	o.single_producer = true;
	struct wp_queue *q = (void *)&o;
	CALL(int, error, wp_queue_create(&q, &o));
	t_assert(error == 0 || (error == WP_ENOMEM && !q && sweep_has_failed()));
	if (error)
		return;
	struct wp_job job = a_job(), out[4];
	struct wp_job jobs[3] = { job, job, job };
	for (unsigned round = 0; round < 4; round++) {
		EXPECT(wp_queue_push_many(q, jobs, 3), 3);
		EXPECT(wp_queue_try_push(q, &job), WP_EFULL);
		EXPECT(wp_queue_push_until(q, &job, wp_after_ns(1000)), WP_ETIMEDOUT);
		EXPECT(wp_queue_pop_many(q, out, 4), 3);
	}
	EXPECT(wp_queue_push(q, &job), 0);
	wp_queue_close(q);
	EXPECT(wp_queue_push(q, &job), WP_ECLOSED);
	EXPECT(wp_queue_pop_many(q, out, 4), 1);
	wp_queue_destroy(q);
}

/* ---- the machine ---- */

void scenario_usable_cpus(void)
{
	CALL(unsigned, cpus, wp_usable_cpus());
	t_assert(cpus >= 1 && cpus <= WP__CPU_MAX);
	if (!sweep_has_failed())
		return;
	sweep_suspend();
	t_assert(wp_usable_cpus() >= 1);
	sweep_resume();
}

void scenario_pin_order(void)
{
	unsigned cpus[4] = { 7777, 7777, 7777, 7777 };
	CALL(int, n, wp_pin_order(cpus, 4));
	t_assert(n == WP_EINVAL || n == WP_ENOMEM || (n >= 0 && n <= 4));
	t_assert(n > 0 || sweep_has_failed() || getenv("HWLOC_SYNTHETIC"));
	t_assert((n > 0) == (cpus[3] != 7777));
	if (!sweep_has_failed())
		return;
	sweep_suspend();
	t_assert(wp_pin_order(cpus, 4) >= 0);
	sweep_resume();
}

void scenario_pin_order_of_made_up_machines(void)
{
	static const char *const machines[] = { "pu:1", "node:2 core:2 pu:2",
		"pack:1 core:64 pu:1" };
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		setenv("HWLOC_SYNTHETIC", machines[i], 1);
		scenario_pin_order();
	}
	unsetenv("HWLOC_SYNTHETIC");
}
