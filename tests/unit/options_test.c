/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/wpool.h>

#include "pool.h"
#include "t.h"

static struct wp_options options(void)
{
	return (struct wp_options)WP_OPTIONS_INIT;
}

T_TEST(options, defaults)
{
	struct wp_options o = options();
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	t_assert_str_eq(o.name, "wpool");
	t_assert_u64_eq(o.workers, wp_usable_cpus());
	t_assert_u64_eq(o.capacity, 65536);
	t_assert_u64_eq(o.segment_size, 1024);
	t_assert_u64_eq(o.segment_count, 0);
	t_assert_u64_eq(o.pool_capacity, 0);
	t_assert_u64_eq(o.producer_capacity, 8192);
	t_assert_int_eq(o.queue_type, WP_QUEUE_FIFO);
	t_assert(!o.pin_workers && !o.contain_faults && !o.timing);
	t_assert_u64_eq(o.batch_max, 256);
	t_assert_u64_eq(o.spin_ns, 50000);
	t_assert_u64_eq(o.poll_gap_ns, 4000);
	t_assert_u64_eq(o.standby_ns, 1000000);
	t_assert_int_eq(o.profile, WP_PROFILE_BALANCED);
	t_assert_u64_eq(o.batch_ns, 10000);
	t_assert_u64_eq(o.stack_size, 0);
	t_assert_u64_eq(o.shutdown_timeout, UINT64_C(30000000000));
	t_assert(o.metrics == &wp_metrics_noop);
	t_assert(!o.on_error && !o.on_event);
	t_assert_int_eq(wp_options_validate(&o, NULL), 0);
}

T_TEST(options, filling_twice_changes_nothing)
{
	struct wp_options o = options(), once;
	wp_options_fill_defaults(&o);
	memcpy(&once, &o, sizeof(o));
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	t_assert(memcmp(&once, &o, sizeof(o)) == 0);
}

T_TEST(options, filling_keeps_what_is_set)
{
	static const struct wp_metrics_ops *const ops = &wp_metrics_atomic;
	struct wp_options o = options();
	o.name = "mine";
	o.workers = 7;
	o.capacity = 11;
	o.segment_size = 13;
	o.segment_count = 1;
	o.pool_capacity = 2;
	o.producer_capacity = 3;
	o.pin_workers = true;
	o.timing = true;
	o.batch_max = 17;
	o.spin_ns = 19;
	o.poll_gap_ns = 23;
	o.standby_ns = 50001;
	o.profile = WP_PROFILE_ECO;
	o.batch_ns = 29;
	o.stack_size = 1 << 20;
	o.shutdown_timeout = 31;
	o.metrics = ops;
	struct wp_options before;
	memcpy(&before, &o, sizeof(o));
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	t_assert(memcmp(&before, &o, sizeof(o)) == 0);
}

T_TEST(options, fill_defaults_refuses_what_it_does_not_know)
{
	struct wp_options o = options();
	t_assert_int_eq(wp_options_fill_defaults(NULL), WP_EINVAL);
	o.size--;
	t_assert_int_eq(wp_options_fill_defaults(&o), WP_EINVAL);
	t_assert_u64_eq(o.workers, 0);
}

static void expect_fault(const struct wp_options *o, const char *field)
{
	const char *why = NULL;
	struct wp_pool *pool = (struct wp_pool *)(uintptr_t)8;
	t_assert_int_eq(wp_options_validate(o, &why), WP_EINVAL);
	t_assert_msg(why && strncmp(why, field, strlen(field)) == 0, "%s: \"%s\"", field,
		why ? why : "(null)");
	t_assert(why[strlen(field)] == ':' && strlen(why) > strlen(field) + 10);
	t_assert_int_eq(wp_options_validate(o, NULL), WP_EINVAL);
	if (o) {
		t_assert_int_eq(wp_pool_create(&pool, o), WP_EINVAL);
		t_assert(pool == NULL);
	}
}

static void expect_fine(const struct wp_options *o)
{
	const char *why = "not touched";
	t_assert_int_eq(wp_options_validate(o, &why), 0);
	t_assert_msg(why == NULL, "%s", why);
}

/* The greatest value allowed, and one more. */
#define EXPECT_MOST(field, most)                  \
	do {                                      \
		struct wp_options o_ = options(); \
		o_.field = (most);                \
		expect_fine(&o_);                 \
		o_.field = (most) + 1;            \
		expect_fault(&o_, #field);        \
	} while (0)

T_TEST(options, ranges)
{
	EXPECT_MOST(workers, 1024);
	EXPECT_MOST(segment_size, WP_SEGMENT_SIZE_MAX);
	EXPECT_MOST(batch_max, 256);
	EXPECT_MOST(spin_ns, UINT64_C(1000000000));
	EXPECT_MOST(poll_gap_ns, UINT64_C(1000000));
	EXPECT_MOST(batch_ns, UINT64_C(1000000000));
	EXPECT_MOST(standby_ns, UINT64_C(1000000000));
	struct wp_options o = options();
	o.standby_ns = 50000;
	expect_fine(&o);
	o.standby_ns--;
	expect_fault(&o, "standby_ns");
	o = options();
	o.segment_size = 65536;
	o.capacity = WP_CAPACITY_MAX;
	expect_fine(&o);
	o.capacity++;
	expect_fault(&o, "capacity");
	expect_fault(NULL, "options");
	o = options();
	o.size++;
	expect_fault(&o, "size");
}

T_TEST(options, a_producer_has_no_more_room_than_the_pool_by_default)
{
	struct wp_options o = options();
	o.capacity = 11;
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	t_assert_u64_eq(o.producer_capacity, 11);
	o = options();
	o.segment_size = 65536;
	o.producer_capacity = WP_CAPACITY_MAX;
	expect_fine(&o);
	o.producer_capacity++;
	expect_fault(&o, "producer_capacity");
}

T_TEST(options, what_this_version_cannot_do)
{
	struct wp_options o = options();
	o.queue_type = (enum wp_queue_type)1;
	expect_fault(&o, "queue_type");
}

T_TEST(options, capacity_and_segments_must_fit)
{
	struct wp_options o = options();
	o.segment_size = 1;
	o.capacity = UINT64_C(1) << 30;
	expect_fault(&o, "segment_size");
	o = options();
	o.capacity = 64;
	o.segment_size = 64;
	o.segment_count = 1000000;
	expect_fault(&o, "segment_count");
	o.segment_count = 2;
	expect_fine(&o);
	o = options();
	o.segment_size = 1;
	o.producer_capacity = UINT64_C(1) << 30;
	expect_fault(&o, "segment_size");
}

T_TEST(options, every_metrics_function_must_be_set)
{
	struct wp_options o = options();
	for (int i = 0; i < 4; i++) {
		struct wp_metrics_ops ops = wp_metrics_noop;
		o.metrics = &ops;
		expect_fine(&o);
		if (i == 0)
			ops.inc_queued = NULL;
		else if (i == 1)
			ops.batch_dec_queued = NULL;
		else if (i == 2)
			ops.inc_executed = NULL;
		else
			ops.inc_rejected = NULL;
		expect_fault(&o, "metrics");
	}
}

T_TEST(options, create_without_a_place_for_the_pool)
{
	t_assert_int_eq(wp_pool_create(NULL, NULL), WP_EINVAL);
}

T_TEST(options, names_of_queue_types)
{
	t_assert_str_eq(wp_queue_type_name(WP_QUEUE_FIFO), "FIFO");
	t_assert_str_eq(wp_queue_type_name((enum wp_queue_type)99), "unknown");
}

T_TEST(options, default_pool_has_a_worker_per_usable_cpu)
{
	struct wp_pool *pool = pool_make(NULL);
	t_assert_u64_eq(pool_stats(pool).workers_alive, wp_usable_cpus());
	pool_end(pool);
}

T_TEST(options, the_struct_is_copied)
{
	char name[] = "copied";
	struct wp_metrics_ops ops = wp_metrics_noop;
	struct wp_options o = options();
	o.name = name;
	o.workers = 1;
	o.metrics = &ops;
	struct wp_pool *pool = pool_make(&o);
	memset(name, 'x', sizeof(name) - 1);
	memset(&ops, 0, sizeof(ops));
	memset(&o, 0xff, sizeof(o));
	wp_atomic_u64 ran = { 0 };
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	pool_end(pool);
}

/* ---- WP_PIN_WORKERS ---- */

static int count_my_cpus(void *payload)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	t_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	*(int *)payload = CPU_COUNT(&set);
	return 0;
}

static int cpus_of_a_worker(const char *variable, bool option)
{
	if (variable)
		setenv("WP_PIN_WORKERS", variable, 1);
	else
		unsetenv("WP_PIN_WORKERS");
	struct wp_options o = options();
	o.workers = 3; /* more than this machine may have CPUs: they wrap around */
	o.pin_workers = option;
	struct wp_pool *pool = pool_make(&o);
	int cpus = 0;
	t_assert_int_eq(
		wp_submit_wait(pool, &(struct wp_job){ .fn = count_my_cpus, .payload = &cpus }), 0);
	pool_end(pool);
	return cpus;
}

T_TEST(options, pinning_and_the_environment)
{
	int all;
	count_my_cpus(&all);
	t_assert_int_eq(cpus_of_a_worker(NULL, false), all);
	t_assert_int_eq(cpus_of_a_worker(NULL, true), 1);
	t_assert_int_eq(cpus_of_a_worker("1", false), 1);
	t_assert_int_eq(cpus_of_a_worker("0", true), all);
	t_assert_int_eq(cpus_of_a_worker("yes", false), all);
	int now;
	count_my_cpus(&now);
	t_assert_int_eq(now, all);
}
