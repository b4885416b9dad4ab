/* SPDX-License-Identifier: MIT */
/* Waiting, time, threads and mutexes of base/os.h; os_memory_test.c has the rest. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base/os.h"
#include "hooks.h"
#include "scheduling.h"
#include "t.h"

#define MS UINT64_C(1000000)

/* ---- waiting ---- */

T_TEST(os_futex, a_word_that_differs_does_not_sleep)
{
	wp_atomic_u32 word = { 5 };
	errno = 4711;
	t_assert_int_eq(wp__os_futex_wait(&word, 4, UINT64_MAX), 0);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_futex, a_deadline_in_the_past_returns_at_once)
{
	wp_atomic_u32 word = { 5 };
	errno = 4711;
	t_assert_int_eq(wp__os_futex_wait(&word, 5, 0), -ETIMEDOUT);
	t_assert_int_eq(wp__os_futex_wait(&word, 5, wp__os_now_ns()), -ETIMEDOUT);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_futex, never_wakes_before_the_deadline)
{
	wp_atomic_u32 word = { 5 };
	uint64_t deadline = wp__os_now_ns() + 30 * MS;
	while (wp__os_futex_wait(&word, 5, deadline) == 0)
		;
	t_assert(wp__os_now_ns() >= deadline);
}

static wp_atomic_u32 gate;

static void *wait_once(void *arg)
{
	*(int *)arg = wp__os_futex_wait(&gate, 0, UINT64_MAX);
	return NULL;
}

T_TEST(os_futex, wake_wakes_as_many_as_asked_and_says_how_many)
{
	enum { SLEEPERS = 3 };
	struct wp__thread threads[SLEEPERS];
	int results[SLEEPERS] = { 1, 1, 1 }, woken = 0;
	t_assert_int_eq(wp__os_futex_wake(&gate, 1), 0);
	for (int i = 0; i < SLEEPERS; i++)
		t_assert_int_eq(wp__os_thread_create(&threads[i], 0, wait_once, &results[i]), 0);
	/* The word stays 0: only a wake ends their sleep. */
	while (woken < SLEEPERS) {
		int n = wp__os_futex_wake(&gate, woken < 2 ? 1 : UINT32_MAX);
		t_assert(n >= 0 && n <= 1);
		woken += n;
		wp__os_yield();
	}
	for (int i = 0; i < SLEEPERS; i++) {
		wp__os_thread_join(&threads[i]);
		t_assert_int_eq(results[i], 0);
	}
	t_assert_int_eq(wp__os_futex_wake(&gate, UINT32_MAX), 0);
}

static wp_atomic_u32 stop;

static void *wait_until_stopped(void *arg)
{
	while (!wp_load_rlx_u32(&stop))
		wp__os_futex_wait(&gate, 0, UINT64_MAX);
	return arg;
}

T_TEST(os_futex, one_wake_can_wake_all)
{
	struct wp__thread threads[3];
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp__os_thread_create(&threads[i], 0, wait_until_stopped, NULL), 0);
	/* Sooner or later all three sleep at the time of the call. */
	while (wp__os_futex_wake(&gate, UINT32_MAX) != 3)
		wp__os_sleep(MS);
	wp_store_rlx_u32(&stop, 1);
	wp_store_rlx_u32(&gate, 1);
	wp__os_futex_wake(&gate, UINT32_MAX);
	for (int i = 0; i < 3; i++)
		wp__os_thread_join(&threads[i]);
}

T_TEST(os_futex, a_fault_ends_the_wait_like_a_signal)
{
	wp_atomic_u32 word = { 5 };
	wp__fault_arm(WP_FAULT_FUTEX_WAIT, 1, false, EINTR);
	t_assert_int_eq(wp__os_futex_wait(&word, 5, UINT64_MAX), 0);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_FUTEX_WAIT), 1);
	t_assert_int_eq(wp__os_futex_wait(&word, 5, 0), -ETIMEDOUT);
}

T_TEST(os_futex, a_faulty_wake_still_wakes)
{
	struct wp__thread thread;
	int result = 1;
	wp__fault_arm(WP_FAULT_FUTEX_WAKE, 1, true, EINTR);
	t_assert_int_eq(wp__os_thread_create(&thread, 0, wait_once, &result), 0);
	while (wp__os_futex_wake(&gate, 1) != 1)
		wp__os_yield();
	wp__os_thread_join(&thread);
	t_assert_int_eq(result, 0);
	t_assert(wp__fault_failures(WP_FAULT_FUTEX_WAKE) > 0);
}

/* ---- time ---- */

T_TEST(os_time, sleep_lasts_at_least_as_long_as_asked)
{
	uint64_t before = wp__os_now_ns();
	wp__os_sleep(20 * MS);
	t_assert(wp__os_now_ns() - before >= 20 * MS);
	wp__os_sleep(0);
}

T_TEST(os_time, ticks_go_forward_at_a_fixed_rate)
{
	uint64_t rate = wp__os_ticks_per_1024ns();
	t_assert(rate > 0);
	t_assert_u64_eq(wp__os_ticks_per_1024ns(), rate);
	uint64_t before = wp__os_ticks();
	wp__os_sleep(1 * MS);
	t_assert(wp__os_ticks() > before);
}

/* ---- threads ---- */

/* What a thread finds out about itself. */
struct view {
	sigset_t mask;
	size_t stack;
	char name[64];
	const char *rename_to;
	int renamed, errno_after;
};

static void *look(void *arg)
{
	struct view *view = arg;
	pthread_sigmask(SIG_BLOCK, NULL, &view->mask);
	pthread_attr_t attr;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &view->stack);
	pthread_attr_destroy(&attr);
	if (view->rename_to) {
		errno = 4711;
		view->renamed = wp__os_thread_set_name(view->rename_to);
		view->errno_after = errno;
	}
	wp__os_read_file("/proc/thread-self/comm", view->name, sizeof(view->name));
	return view;
}

static struct view view_of_thread(size_t stack_size, const char *rename_to)
{
	struct wp__thread thread;
	struct view view = { .rename_to = rename_to };
	t_assert_int_eq(wp__os_thread_create(&thread, stack_size, look, &view), 0);
	wp__os_thread_join(&thread);
	return view;
}

static bool is_of_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
	       number == SIGTRAP || number == SIGSYS;
}

T_TEST(os_thread, blocks_all_asynchronous_signals)
{
	sigset_t before, after;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	struct view view = view_of_thread(0, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int i = 1; i <= SIGRTMAX; i++) {
		if (i > 31 && i < SIGRTMIN)
			continue; /* the C library's own */
		t_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
		if (i == SIGKILL || i == SIGSTOP || i == SIGABRT || i == SIGPROF)
			continue; /* cannot be blocked; abort() and profilers use theirs */
		t_assert_msg(sigismember(&view.mask, i) == !is_of_fault(i), "signal %d is %d", i,
			sigismember(&view.mask, i));
	}
}

T_TEST(os_thread, has_the_stack_it_was_given)
{
	t_assert(view_of_thread(1, NULL).stack >= (size_t)PTHREAD_STACK_MIN);
	t_assert(view_of_thread(3000001, NULL).stack >= 3000001);
	t_assert(view_of_thread(0, NULL).stack > 0);
}

T_TEST(os_thread, a_stack_that_cannot_be_is_an_error)
{
	struct wp__thread thread;
	struct view view = { .rename_to = NULL };
	t_assert_int_eq(wp__os_thread_create(&thread, SIZE_MAX, look, &view), -EINVAL);
	if (!T_SANITIZED) {
		int error = wp__os_thread_create(&thread, SIZE_MAX / 4, look, &view);
		t_assert(error == -EAGAIN || error == -ENOMEM || error == -EINVAL);
	}
}

T_TEST(os_thread, is_named)
{
	struct view view = view_of_thread(0, "wpool/7");
	t_assert_int_eq(view.renamed, 0);
	t_assert_str_eq(view.name, "wpool/7\n");
	view = view_of_thread(0, "0123456789abcdefgh");
	t_assert_int_eq(view.renamed, 0);
	t_assert_str_eq(view.name, "0123456789abcde\n");
	t_assert_int_eq(view.errno_after, 4711);
}

static void *take_short_slices(void *arg)
{
	struct scheduling before = scheduling_of_self();
	errno = 4711;
	t_assert_int_eq(wp__os_thread_set_slice(200000), 0);
	t_assert_int_eq(errno, 4711);
	struct scheduling after = scheduling_of_self();
	t_assert_u64_eq(after.policy, before.policy);
	t_assert_int_eq(after.nice, before.nice);
	t_assert_u64_eq(after.flags, before.flags);
	if (scheduling_has_slices())
		t_assert_u64_eq(after.slice, 200000);
	/* By other policies a slice is something else, or nothing: they are left alone. */
	t_assert_int_eq(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }), 0);
	t_assert_int_eq(wp__os_thread_set_slice(300000), -ENOTSUP);
	t_assert_u64_eq(scheduling_of_self().policy, SCHED_IDLE);
	return arg;
}

T_TEST(os_thread, asks_for_short_slices)
{
	struct wp__thread thread;
	t_assert_int_eq(wp__os_thread_create(&thread, 0, take_short_slices, NULL), 0);
	wp__os_thread_join(&thread);
}

T_TEST(os_thread, faults)
{
	struct wp__thread thread;
	struct view view = { .rename_to = NULL };
	errno = 4711;
	wp__fault_arm(WP_FAULT_THREAD, 1, false, EAGAIN);
	t_assert_int_eq(wp__os_thread_create(&thread, 0, look, &view), -EAGAIN);
	wp__fault_arm(WP_FAULT_THREAD, 1, false, ENOMEM);
	t_assert_int_eq(wp__os_thread_create(&thread, 0, look, &view), -ENOMEM);
	wp__fault_arm(WP_FAULT_THREAD_NAME, 1, false, ERANGE);
	t_assert_int_eq(wp__os_thread_set_name("x"), -ERANGE);
	t_assert_int_eq(wp__os_thread_set_name("x"), 0);
	wp__fault_arm(WP_FAULT_SLICE, 1, false, EPERM);
	t_assert_int_eq(wp__os_thread_set_slice(200000), -EPERM);
	t_assert_int_eq(errno, 4711);
}

/* ---- mutexes ---- */

static struct wp__mutex mutex = WP__MUTEX_INIT;
static uint64_t guarded;

static void *add_under_lock(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		wp__os_mutex_lock(arg);
		guarded++;
		wp__os_mutex_unlock(arg);
	}
	return NULL;
}

static void add_in_threads(struct wp__mutex *m)
{
	struct wp__thread threads[4];
	for (int i = 0; i < 4; i++)
		t_assert_int_eq(wp__os_thread_create(&threads[i], 0, add_under_lock, m), 0);
	for (int i = 0; i < 4; i++)
		wp__os_thread_join(&threads[i]);
}

T_TEST(os_mutex, keeps_others_out)
{
	struct wp__mutex other;
	add_in_threads(&mutex);
	t_assert_u64_eq(guarded, 80000);
	wp__os_mutex_init(&other);
	add_in_threads(&other);
	wp__os_mutex_destroy(&other);
	t_assert_u64_eq(guarded, 160000);
}
