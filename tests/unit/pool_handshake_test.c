/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups at the seams, one interleaving per test: a worker is held at a labelled point while the
 * others do what would lose a wake-up if the worker did not look again.
 */
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

/* ---- holding a thread at a point ---- */

#define HOLDS 2
static struct hold {
	const char *label;
	wp_atomic_ptr who; /* NULL: not in use, or over */
	wp_atomic_u32 held, go;
} holds[HOLDS];

static void hold_at_points(const char *label)
{
	for (size_t i = 0; i < HOLDS; i++) {
		struct hold *hold = &holds[i];
		if (!wp__self || wp_load_acq_ptr(&hold->who) != wp__self ||
			strcmp(label, hold->label) != 0)
			continue;
		wp_store_rlx_ptr(&hold->who, NULL);
		wp_store_rel_u32(&hold->held, 1);
		while (!wp_load_acq_u32(&hold->go))
			wp__os_sleep(20000);
		return;
	}
}

/* The next time that he passes the point. */
static struct hold *hold_next(const char *label, struct wp__worker *who)
{
	static unsigned used;
	t_assert(used < HOLDS);
	struct hold *hold = &holds[used++];
	hold->label = label;
	wp_store_rel_ptr(&hold->who, who);
	wp__set_point_hook(hold_at_points);
	return hold;
}

static void await_held(struct hold *hold)
{
	pool_until(wp_load_acq_u32(&hold->held));
}

static void let_go(struct hold *hold)
{
	wp_store_rel_u32(&hold->go, 1);
}

/* ---- jobs ---- */

/* A job that says who runs it and waits for a flag. */
struct stop {
	wp_atomic_ptr worker;
	wp_atomic_u32 *flag;
};

static int stop_fn(void *payload)
{
	struct stop *stop = payload;
	wp_store_rel_ptr(&stop->worker, wp__self);
	pool_until(wp_load_acq_u32(stop->flag));
	return 0;
}

static struct wp__worker *submit_stop(struct wp_pool *pool, struct stop *stop)
{
	t_assert_int_eq(wp_submit(pool, stop_fn, stop), 0);
	pool_until(wp_load_acq_ptr(&stop->worker));
	return wp_load_acq_ptr(&stop->worker);
}

static int set_fn(void *payload)
{
	wp_store_rel_u32(payload, 1);
	return 0;
}

/* The job starts whatever the held worker does, within the watchdog. */
static void submit_setter(struct wp_pool *pool, wp_atomic_u32 *flag)
{
	t_assert_int_eq(wp_submit(pool, set_fn, flag), 0);
}

/* ---- a job that waits, and looks for the last time before the submit ---- */

static wp_atomic_u32 needed;
static struct stop child = { .flag = &needed };

static int wait_for_child(void *payload)
{
	struct wp_pool *pool = payload;
	return wp_submit_wait(pool, &(struct wp_job){ .fn = stop_fn, .payload = &child });
}

static wp_atomic_ptr child_hold;

/*
 * Leaves the child to the other worker. The look that began before the child was taken begins
 * again; the one after that finds nothing, and there the worker is held.
 */
static void let_other_take_child(const char *label)
{
	struct wp__worker *w = wp__self;
	if (strcmp(label, "H0") != 0 || !w || !w->running)
		return;
	if (wp_load_acq_ptr(&child.worker)) {
		wp__set_point_hook(NULL);
		wp_store_rel_ptr(&child_hold, hold_next("H1", w));
	} else {
		pool_until(wp_load_acq_ptr(&child.worker));
	}
}

T_TEST(pool_handshake, a_waiting_job_parks_just_after_the_submit)
{
	struct wp_pool *pool = pool_of(2, 64, 16);
	wp__set_point_hook(let_other_take_child);
	t_assert_int_eq(wp_submit(pool, wait_for_child, pool), 0);
	pool_until(wp_load_acq_ptr(&child_hold));
	await_held(wp_load_acq_ptr(&child_hold));
	submit_setter(pool, &needed);
	let_go(wp_load_acq_ptr(&child_hold));
	pool_until(wp_load_acq_u32(&needed));
	pool_wait(pool);
	pool_end(pool);
}

static wp_atomic_u32 first_flag;

/* ---- those who wait for rest while somebody else ends the pool ---- */

static wp_atomic_u32 waiters_done;

struct at_end {
	struct wp_pool *pool;
	struct crew waiting, ending;
};

static void wait_for_rest(void *arg, unsigned me)
{
	struct at_end *e = arg;
	if (me == 0)
		t_assert_int_eq(wp_pool_wait(e->pool, WP_FOREVER), 0);
	else
		t_assert_int_eq(wp_pool_shutdown(e->pool, WP_FOREVER, NULL), 0);
	wp_add_rel_u32(&waiters_done, 1);
}

static void end_pool(void *arg, unsigned me)
{
	struct at_end *e = arg;
	(void)me;
	t_assert_int_eq(wp_pool_shutdown(e->pool, WP_FOREVER, NULL), 0);
	wp_add_rel_u32(&waiters_done, 1);
}

T_TEST(pool_handshake, all_who_wait_for_the_end_are_told)
{
	static struct at_end e;
	static struct stop first = { .flag = &first_flag };
	e.pool = pool_of(1, 64, 16);
	struct wp__worker *w = submit_stop(e.pool, &first);
	crew_start(&e.waiting, 2, wait_for_rest, &e);
	pool_until(wp_load_rlx_u32(&e.pool->rest.waiters) == 2);
	wp__os_sleep(1000000);
	/* The worker has counted its job and told nobody yet. */
	struct hold *counted = hold_next("E1", w);
	wp_store_rel_u32(&first_flag, 1);
	await_held(counted);
	crew_start(&e.ending, 1, end_pool, &e);
	pool_until(wp_load_rlx_u32(&e.pool->exit));
	let_go(counted);
	pool_until(wp_load_acq_u32(&waiters_done) == 3);
	crew_join(&e.waiting);
	crew_join(&e.ending);
	pool_destroy(e.pool);
}

/* ---- a standby that is woken inside of a job ---- */

/*
 * U runs jobs that it believes cheap, and stays active because W, which waits inside of a job, is
 * standby. C sleeps without a timer. Then W's wait ends and W goes on with its job: somebody else
 * has to become standby, or nobody will ever look while U is stuck.
 */
static struct {
	struct wp_pool *pool;
	wp_atomic_ptr w;
	wp_atomic_u32 go_w, free_c, c_out, blocked, flag, hit;
} relay;

static int relay_blocker(void *payload)
{
	(void)payload;
	wp_store_rel_u32(&relay.blocked, 1);
	pool_until(wp_load_acq_u32(&relay.flag));
	return 0;
}

/* Briefly, because a standby has patience for a millisecond or two. */
static bool soon(bool (*condition)(void))
{
	for (uint64_t end = wp_after_ns(1000000); wp_now_ns() < end;)
		if (condition())
			return true;
	return false;
}

static bool w_is_standby(void)
{
	uint64_t idle = wp__parking_idle(&relay.pool->parking);
	return (idle & WP__IDLE_STANDBY) && wp__idle_parked(idle) == 1;
}

static bool c_sleeps_too(void)
{
	return wp__idle_parked(wp__parking_idle(&relay.pool->parking)) == 2;
}

/* On U. */
static int relay_child(void *payload)
{
	(void)payload;
	if (soon(w_is_standby)) {
		wp_store_rel_u32(&relay.free_c, 1);
		if (soon(c_sleeps_too))
			wp_store_rel_u32(&relay.hit, 1);
	}
	wp_store_rel_u32(&relay.free_c, 1);
	return wp_submit(relay.pool, relay_blocker, NULL);
}

/* On W. */
static int relay_wait(void *payload)
{
	(void)payload;
	wp_store_rel_ptr(&relay.w, wp__self);
	while (!wp_load_acq_u32(&relay.go_w))
		wp_spin_hint();
	wp_submit_wait(relay.pool, &(struct wp_job){ .fn = relay_child });
	pool_until(wp_load_acq_u32(&relay.flag));
	return 0;
}

/* On U: the last of the cheap jobs. */
static int relay_start(void *payload)
{
	(void)payload;
	wp_store_rel_u32(&relay.go_w, 1);
	while (wp__segqueue_depth(&relay.pool->lane) == 0)
		wp_spin_hint();
	return 0;
}

/* On C. */
static int relay_c(void *payload)
{
	(void)payload;
	wp_store_rel_u32(&relay.c_out, 1);
	while (!wp_load_acq_u32(&relay.free_c))
		wp_spin_hint();
	return 0;
}

/* W lets U take the child. */
static void relay_hook(const char *label)
{
	if (strcmp(label, "Q2") != 0 || !wp__self || wp__self != wp_load_acq_ptr(&relay.w))
		return;
	wp_store_rlx_ptr(&relay.w, NULL);
	while (wp__segqueue_depth(&relay.pool->lane))
		wp_spin_hint();
}

static bool relay_round(void)
{
	static wp_atomic_u64 ran;
	struct gate u_gate = { 0 };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 3;
	o.batch_max = 1;
	o.batch_ns = 1000000000; /* everything is cheap */
	memset(&relay, 0, sizeof(relay));
	relay.pool = pool_make(&o);
	t_assert_int_eq(wp_submit(relay.pool, relay_c, NULL), 0);
	pool_until(wp_load_acq_u32(&relay.c_out));
	t_assert_int_eq(wp_submit(relay.pool, relay_wait, NULL), 0);
	pool_until(wp_load_acq_ptr(&relay.w));
	gate_hold(&u_gate, relay.pool, 1);
	wp__set_point_hook(relay_hook);
	for (int i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit(relay.pool, count_fn, &ran), 0);
	t_assert_int_eq(wp_submit(relay.pool, relay_start, NULL), 0);
	gate_open(&u_gate);
	pool_until(wp_load_acq_u32(&relay.blocked));
	wp__os_sleep(1000000); /* W goes on with its job */
	submit_setter(relay.pool, &relay.flag);
	pool_until(wp_load_acq_u32(&relay.flag));
	pool_wait(relay.pool);
	bool hit = wp_load_rlx_u32(&relay.hit);
	pool_end(relay.pool);
	return hit;
}

T_TEST(pool_handshake, standby_that_goes_on_with_its_job_has_a_successor)
{
	unsigned hits = 0;
	uint64_t end = wp_after_ms(20000);
	for (unsigned rounds = 0; hits < 20 && rounds < 1000 && wp_now_ns() < end; rounds++)
		hits += relay_round();
	if (hits == 0)
		t_skip("the machine is too busy for this interleaving");
}

/* ---- a worker that holds jobs and steps away ---- */

/*
 * J1, J2 and J3 are claimed as one batch. J1 waits for a child, so that its worker runs J2 inside
 * of it; J2 and the child wait for J3. The third worker has nothing to do: J3 is its job.
 */
static struct {
	struct wp_pool *pool;
	wp_atomic_u32 third_ran, together;
} trio;

static int await_third(void *payload)
{
	(void)payload;
	pool_until(wp_load_acq_u32(&trio.third_ran));
	return 0;
}

static int first_of_three(void *payload)
{
	(void)payload;
	if (wp_load_rlx_u32(&wp__self->left) == 2)
		wp_store_rel_u32(&trio.together, 1);
	return wp_submit_wait(trio.pool, &(struct wp_job){ .fn = await_third });
}

static bool trio_round(void)
{
	static wp_atomic_u64 ran;
	struct wp_job jobs[403];
	memset(&trio, 0, sizeof(trio));
	trio.pool = pool_of(3, 1024, 1024);
	for (int i = 0; i < 400; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	jobs[400] = (struct wp_job){ .fn = first_of_three };
	jobs[401] = (struct wp_job){ .fn = await_third };
	jobs[402] = (struct wp_job){ .fn = set_fn, .payload = &trio.third_ran };
	t_assert_int_eq(wp_submit_batch(trio.pool, jobs, 403), 403);
	pool_wait(trio.pool);
	bool together = wp_load_rlx_u32(&trio.together);
	pool_end(trio.pool);
	return together;
}

T_TEST(pool_handshake, jobs_held_by_a_worker_that_steps_away)
{
	unsigned hits = 0;
	uint64_t end = wp_after_ms(20000);
	for (unsigned rounds = 0; hits < 20 && rounds < 1000 && wp_now_ns() < end; rounds++)
		hits += trio_round();
	if (hits == 0)
		t_skip("the machine is too busy for this interleaving");
}
