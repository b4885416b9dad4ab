/* SPDX-License-Identifier: MIT */
/* Known bugs: a wake-up is lost. */
#include "bug.h"

static wp_atomic_u32 work, sleepers, epoch, word;

/* ---- publish, look for sleepers | announce oneself, look for work: a fence on both sides ---- */

static void publish_work(bool fenced)
{
	wp_store_rel_u32(&work, 1);
	FENCE_IF(fenced);
	if (wp_load_rlx_u32(&sleepers)) {
		wp_add_rel_u32(&epoch, 1);
		wp__os_futex_wake(&epoch, 1);
	}
}

static void wait_for_work(bool fenced)
{
	uint32_t seen = wp_load_acq_u32(&epoch);
	wp_store_rlx_u32(&sleepers, 1);
	FENCE_IF(fenced);
	while (!wp_load_acq_u32(&work)) {
		wp__os_futex_wait(&epoch, seen, UINT64_MAX);
		seen = wp_load_acq_u32(&epoch);
	}
}

static void publish_maybe_unfenced(void)
{
	publish_work(!BROKEN);
}

static void publish_fenced(void)
{
	publish_work(true);
}

static void wait_fenced(void)
{
	wait_for_work(true);
}

static void wait_maybe_unfenced(void)
{
	wait_for_work(!BROKEN);
}

KNOWN_BUG(lost_wake_waker_unfenced, "deadlock", .body = { wait_fenced, publish_maybe_unfenced });
KNOWN_BUG(lost_wake_waiter_unfenced, "deadlock", .body = { wait_maybe_unfenced, publish_fenced });

/* ---- the epoch is read after the look for work: work and wake fall in between ---- */

static void check_then_sleep(void)
{
	for (;;) {
		uint32_t seen = wp_load_acq_u32(&epoch);
		if (wp_load_acq_u32(&work))
			return;
		if (BROKEN)
			seen = wp_load_acq_u32(&epoch);
		wp__os_futex_wait(&epoch, seen, UINT64_MAX);
	}
}

static void work_and_wake(void)
{
	wp_store_rel_u32(&work, 1);
	wp_add_rel_u32(&epoch, 1);
	wp__os_futex_wake(&epoch, 1);
}

KNOWN_BUG(check_then_sleep_late_epoch, "deadlock", .body = { check_then_sleep, work_and_wake });

/* ---- a sleep that ended is taken for a wake-up ---- */

static void sleep_once(void)
{
	if (BROKEN) {
		if (!wp_load_acq_u32(&word))
			wp__os_futex_wait(&word, 0, UINT64_MAX);
	} else {
		while (!wp_load_acq_u32(&word))
			wp__os_futex_wait(&word, 0, UINT64_MAX);
	}
	explore_assert(wp_load_acq_u32(&work) == 1);
}

static void set_word(void)
{
	wp_store_rlx_u32(&work, 1);
	wp_store_rel_u32(&word, 1);
	wp__os_futex_wake(&word, 1);
}

KNOWN_BUG(spurious_wake_believed, "assertion", .body = { sleep_once, set_word });

/* ---- a lock of three states: who was woken takes it as "nobody else waits" ---- */

static void lock3(void)
{
	uint32_t c = 0;
	if (wp_cas_strong_ar_u32(&word, &c, 1))
		return;
	while (c != 0) {
		if (c == 2 || wp_cas_strong_ar_u32(&word, &c, 2) || c != 0)
			wp__os_futex_wait(&word, 2, UINT64_MAX);
		c = 0;
		if (wp_cas_strong_ar_u32(&word, &c, BROKEN ? 1 : 2))
			return;
	}
	lock3();
}

static void unlock3(void)
{
	if (wp_swap_ar_u32(&word, 0) == 2)
		wp__os_futex_wake(&word, 1);
}

static uint32_t guarded;

static void under_lock3(void)
{
	lock3();
	guarded++;
	unlock3();
}

static void three_were_there(void)
{
	explore_assert(guarded == 3);
}

KNOWN_BUG(futex_lock_forgets_waiters, "deadlock", .body = { under_lock3, under_lock3, under_lock3 },
	.check = three_were_there, .spurious = -1);

/* ---- a worker that retires keeps the wake-up that was meant for whoever stays ---- */

static wp_atomic_u32 tokens, leaving;

static bool take_token(void)
{
	uint32_t t = wp_load_acq_u32(&tokens);
	while (t)
		if (wp_cas_weak_ar_u32(&tokens, &t, t - 1))
			return true;
	return false;
}

static void worker_stays(void)
{
	for (;;) {
		uint32_t seen = wp_load_acq_u32(&epoch);
		if (take_token())
			return;
		wp__os_futex_wait(&epoch, seen, UINT64_MAX);
	}
}

static void worker_retires(void)
{
	uint32_t seen = wp_load_acq_u32(&epoch);
	if (wp_load_acq_u32(&tokens) == 0)
		wp__os_futex_wait(&epoch, seen, 2000000000);
	wp_store_rlx_u32(&leaving, 1);
	if (!BROKEN)
		wp__os_futex_wake(&epoch, 1);
}

static void give_token(void)
{
	wp_add_rel_u32(&tokens, 1);
	wp_add_rel_u32(&epoch, 1);
	wp__os_futex_wake(&epoch, 1);
}

KNOWN_BUG(retiring_worker_keeps_wake, "deadlock",
	.body = { worker_stays, worker_retires, give_token });

/* ---- one that gave up waiting takes the signal of one that did not ---- */

static wp_atomic_u32 signals, room;

static void semaphore_wait(uint64_t deadline)
{
	wp_add_rlx_u32(&sleepers, 1);
	wp_fence_sc();
	for (;;) {
		uint32_t s = wp_load_acq_u32(&signals);
		while (s)
			if (wp_cas_weak_ar_u32(&signals, &s, s - 1))
				return;
		if (wp__os_futex_wait(&signals, 0, deadline) != 0)
			break;
	}
	/* Timed out. A signal may have been meant for this thread: it must not stay unused. */
	if (BROKEN) {
		uint32_t s = wp_load_acq_u32(&signals);
		while (s && !wp_cas_weak_ar_u32(&signals, &s, s - 1))
			;
	}
	wp_sub_rlx_u32(&sleepers, 1);
}

static void patient(void)
{
	semaphore_wait(UINT64_MAX);
	wp_store_rlx_u32(&room, 1);
}

static void impatient(void)
{
	semaphore_wait(2000000000);
}

static void signal_twice(void)
{
	for (int i = 0; i < 2; i++) {
		wp_add_rel_u32(&signals, 1);
		wp__os_futex_wake(&signals, UINT32_MAX);
	}
}

/* Twice as many signals as the patient one needs: it always gets one. */
static void signal_for_patient(void)
{
	if (!BROKEN) {
		signal_twice();
		return;
	}
	wp_add_rel_u32(&signals, 1);
	wp__os_futex_wake(&signals, UINT32_MAX);
}

KNOWN_BUG(timeout_eats_signal, "deadlock", .body = { patient, impatient, signal_for_patient },
	.spurious = -1);

/* ---- two locks in two orders ---- */

static struct wp__mutex first = WP__MUTEX_INIT, second = WP__MUTEX_INIT;

static void both(struct wp__mutex *a, struct wp__mutex *b)
{
	wp__os_mutex_lock(a);
	wp__os_mutex_lock(b);
	wp__os_mutex_unlock(b);
	wp__os_mutex_unlock(a);
}

static void first_second(void)
{
	both(&first, &second);
}

static void second_first(void)
{
	if (BROKEN)
		both(&second, &first);
	else
		both(&first, &second);
}

KNOWN_BUG(lock_order, "deadlock", .body = { first_second, second_first });

/* ---- two threads wait for each other by looking ---- */

static void meet(wp_atomic_u32 *mine, wp_atomic_u32 *other)
{
	if (!BROKEN)
		wp_store_rel_u32(mine, 1);
	while (!wp_load_acq_u32(other))
		wp_spin_hint();
	wp_store_rel_u32(mine, 1);
}

static void meet_left(void)
{
	meet(&work, &word);
}

static void meet_right(void)
{
	meet(&word, &work);
}

KNOWN_BUG(mutual_wait, "livelock", .body = { meet_left, meet_right });
