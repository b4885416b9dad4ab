/* SPDX-License-Identifier: MIT */
/* An idle pool does nothing: no worker is scheduled at all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "t.h"

#define WINDOW_NS UINT64_C(2000000000)
/* A timer is seen in each window; what the machine does to a thread that sleeps, not in all. */
#define TRIES     10

struct activity {
	unsigned threads;
	uint64_t voluntary, involuntary, run_ns;
};

static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	t_assert_msg(at != NULL, "no %s", name);
	return strtoull(at + strlen(name), NULL, 10);
}

static bool read_task(const char *tid, const char *file, char *text, size_t size)
{
	char path[300];
	snprintf(path, sizeof(path), "/proc/self/task/%s/%s", tid, file);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	size_t n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	return true;
}

/* The sum over all threads whose name begins with `name`. */
static struct activity look(const char *name)
{
	struct activity a = { 0 };
	char text[4096];
	DIR *dir = opendir("/proc/self/task");
	t_assert(dir != NULL);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.' || !read_task(e->d_name, "comm", text, sizeof(text)) ||
			strncmp(text, name, strlen(name)) != 0)
			continue;
		a.threads++;
		t_assert(read_task(e->d_name, "status", text, sizeof(text)));
		a.voluntary += field(text, "\nvoluntary_ctxt_switches:");
		a.involuntary += field(text, "\nnonvoluntary_ctxt_switches:");
		if (read_task(e->d_name, "schedstat", text, sizeof(text)))
			a.run_ns += strtoull(text, NULL, 10);
	}
	closedir(dir);
	return a;
}

static void expect_idle(struct wp_pool *pool, unsigned workers)
{
	pool_expect_asleep(pool);
	/* The last step into the kernel comes after the count; other processes may delay it. */
	for (int tries = 1;; tries++) {
		wp__os_sleep(20000000);
		struct activity before = look("idle/");
		t_assert_u64_eq(before.threads, workers);
		wp__os_sleep(WINDOW_NS);
		struct activity after = look("idle/");
		if (after.voluntary == before.voluntary &&
			after.involuntary == before.involuntary &&
			after.run_ns - before.run_ns < 1000000)
			return;
		t_assert_msg(tries < TRIES, "voluntary %llu, involuntary %llu switches, %llu ns",
			(unsigned long long)(after.voluntary - before.voluntary),
			(unsigned long long)(after.involuntary - before.involuntary),
			(unsigned long long)(after.run_ns - before.run_ns));
	}
}

static struct wp_pool *make(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.name = "idle";
	o.workers = workers;
	return pool_make(&o);
}

static void after_a_burst(unsigned workers)
{
	static wp_atomic_u64 ran;
	struct wp_pool *pool = make(workers);
	for (unsigned i = 0; i < 20000; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	expect_idle(pool, workers);
	pool_end(pool);
}

T_TEST(pool_idle, one_worker)
{
	struct wp_pool *pool = make(1);
	expect_idle(pool, 1);
	pool_end(pool);
	after_a_burst(1);
}

T_TEST(pool_idle, two_workers)
{
	struct wp_pool *pool = make(2);
	expect_idle(pool, 2);
	pool_end(pool);
	after_a_burst(2);
}

T_TEST(pool_idle, sixteen_workers)
{
	after_a_burst(16);
}

T_TEST(pool_idle, after_a_single_job)
{
	static wp_atomic_u64 ran;
	struct wp_pool *pool = make(4);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	expect_idle(pool, 4);
	pool_end(pool);
}

/* One worker inside a job, the others asleep: nobody keeps watch by a timer either. */
T_TEST(pool_idle, while_one_runs_a_long_job)
{
	static struct gate gate;
	static wp_atomic_u64 ran;
	struct wp_options o = WP_OPTIONS_INIT;
	o.name = "idle";
	o.workers = 3;
	o.batch_max = 1;
	struct wp_pool *pool = pool_make(&o);
	pool_make_cheap(pool, &ran);
	t_assert_int_eq(wp_submit(pool, gate_fn, &gate), 0);
	pool_until(wp_load_acq_u32(&gate.entered));
	pool_until(wp__parking_idle(&pool->parking) == 2 * WP__IDLE_PARKED_ONE);
	for (int tries = 1;; tries++) {
		wp__os_sleep(20000000);
		struct activity before = look("idle/");
		wp__os_sleep(WINDOW_NS / 2);
		struct activity after = look("idle/");
		if (after.voluntary == before.voluntary)
			break;
		t_assert_msg(tries < TRIES, "%llu voluntary switches",
			(unsigned long long)(after.voluntary - before.voluntary));
	}
	gate_open(&gate);
	pool_wait(pool);
	pool_end(pool);
}

/* What the eyes of this test are worth: a thread that wakes up now and then is seen. */
static void wake_often(void *arg, unsigned me)
{
	(void)me;
	t_assert_int_eq(wp__os_thread_set_name("tick/0"), 0);
	while (!wp_load_rlx_u32(arg))
		wp__os_sleep(10000000);
}

T_TEST(pool_idle, a_timer_would_be_seen)
{
	static wp_atomic_u32 end;
	struct crew crew;
	crew_start(&crew, 1, wake_often, &end);
	pool_until(look("tick/").threads == 1);
	uint64_t before = look("tick/").voluntary;
	pool_until(look("tick/").voluntary - before > 3);
	wp_store_rlx_u32(&end, 1);
	crew_join(&crew);
}
