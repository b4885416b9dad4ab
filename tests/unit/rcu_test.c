/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/rcu.h"
#include "t.h"

#define MARK       4242
#define INTERRUPTS 5

#if defined(__SANITIZE_THREAD__)
#define SIGNALS_ARE_LATE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGNALS_ARE_LATE 1
#endif
#endif
#ifndef SIGNALS_ARE_LATE
#define SIGNALS_ARE_LATE 0
#endif

static wp_atomic_u32 writer, interrupted;

static void count_interrupt(int signal)
{
	(void)signal;
	wp_add_rel_u32(&interrupted, 1);
}

static void *synchronize(void *error)
{
	wp_store_rel_u32(&writer, (uint32_t)gettid());
	errno = MARK;
	wp__rcu_synchronize();
	*(int *)error = errno;
	return NULL;
}

/* Whether thread tid waits in the kernel. */
static bool sleeps(uint32_t tid)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	FILE *f = fopen(path, "re");
	t_assert(f && fgets(text, sizeof(text), f));
	fclose(f);
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

T_TEST(rcu, errno_stays_when_a_signal_ends_a_wait)
{
	struct sigaction handler = { .sa_handler = count_interrupt }, before;
	pthread_t thread;
	int error = 0;
	if (SIGNALS_ARE_LATE)
		t_skip("ThreadSanitizer holds signals back until the wait is over");
	t_assert_int_eq(sigaction(SIGUSR1, &handler, &before), 0);
	wp__rcu_register();
	wp__rcu_read_lock();
	t_assert_int_eq(pthread_create(&thread, NULL, synchronize, &error), 0);
	uint32_t tid;
	while (!(tid = wp_load_acq_u32(&writer)))
		wp__os_yield();
	for (uint32_t i = 1; i <= INTERRUPTS; i++) {
		while (!sleeps(tid))
			wp__os_sleep(1000000);
		t_assert_int_eq(pthread_kill(thread, SIGUSR1), 0);
		while (wp_load_acq_u32(&interrupted) != i)
			wp__os_yield();
	}
	t_assert_int_eq(pthread_tryjoin_np(thread, NULL), EBUSY); /* waits for this read side */
	wp__rcu_read_unlock();
	t_assert_int_eq(pthread_join(thread, NULL), 0);
	t_assert_int_eq(error, MARK);
	wp__rcu_unregister();
	t_assert_int_eq(sigaction(SIGUSR1, &before, NULL), 0);
}

T_TEST(rcu, errno_stays_in_every_call)
{
	errno = MARK;
	wp__rcu_register();
	wp__rcu_read_lock();
	wp__rcu_read_unlock();
	wp__rcu_synchronize();
	wp__rcu_unregister();
	t_assert_int_eq(errno, MARK);
}
