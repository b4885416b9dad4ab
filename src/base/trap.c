/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/trap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/hooks.h"
#include "base/layout.h"
#include "base/os.h"

#define TRAPS      4
/* For the unwinder and the application's handlers, on top of what the kernel needs. */
#define STACK_SIZE ((size_t)64 * 1024)

static const int traps[TRAPS] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

static struct wp__mutex mutex = WP__MUTEX_INIT;
static unsigned users;                 /* under mutex */
static bool in_place[TRAPS];           /* under mutex; the handler, or one that may call it */
static struct sigaction before[TRAPS]; /* written while in_place is false */
static wp_atomic_u64 taker;            /* a wp__trap_fn */

static _Thread_local struct {
	void *memory;
	size_t size;
	stack_t outer;
	const char *overflow, *overflow_end; /* addresses that mean: stack overflow */
} own __attribute__((tls_model("initial-exec")));

/* ---- the handler ---- */

/* Raised by what the thread did, or by raise(); not by kill() from somewhere. */
static bool is_of_thread(const siginfo_t *info)
{
	return info->si_code > 0 || (info->si_code == SI_TKILL && info->si_pid == getpid());
}

static struct wp__trap describe(int number, const siginfo_t *info)
{
	struct wp__trap trap = { .signal = number };
	if (info->si_code > 0)
		trap.address = info->si_addr;
	const char *at = trap.address;
	if (number == SIGSEGV && at && at >= own.overflow && at < own.overflow_end)
		trap.what = "stack overflow";
	else
		trap.what = number == SIGSEGV  ? "segmentation fault"
			    : number == SIGBUS ? "bus error"
			    : number == SIGFPE ? "arithmetic fault"
					       : "illegal instruction";
	return trap;
}

/* The kernel's own action. What the thread did it will do again, and die of it. */
static void act_by_default(int number, const siginfo_t *info, bool ignore)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	bool again = info->si_code > 0;
	if (ignore && !again)
		return;
	sigaction(number, &action, NULL);
	if (!again)
		raise(number);
}

static void pass_on(unsigned i, siginfo_t *info, void *context)
{
	struct sigaction action = before[i];
	int number = traps[i];
	if (!(action.sa_flags & SA_SIGINFO) &&
		(action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
		act_by_default(number, info, action.sa_handler == SIG_IGN);
		return;
	}
	if ((unsigned)action.sa_flags & (unsigned)SA_RESETHAND)
		before[i] = (struct sigaction){ .sa_handler = SIG_DFL };
	if (!(action.sa_flags & SA_NODEFER))
		sigaddset(&action.sa_mask, number);
	/* Until this handler returns: the kernel puts back the mask of the interrupted code. */
	pthread_sigmask(SIG_BLOCK, &action.sa_mask, NULL);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(number, info, context);
	else
		action.sa_handler(number);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	unsigned i = 0;
	while (traps[i] != number)
		i++;
	wp__trap_fn take = (wp__trap_fn)(uintptr_t)wp_load_rlx_u64(&taker);
	if (take && is_of_thread(info)) {
		struct wp__trap trap = describe(number, info);
		take(&trap);
	}
	pass_on(i, info, context);
	errno = saved;
}

/* ---- putting it in place ---- */

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_trap;
}

static void put_back(unsigned i)
{
	struct sigaction now;
	if (!in_place[i] || sigaction(traps[i], NULL, &now) || !is_ours(&now))
		return;
	in_place[i] = sigaction(traps[i], &before[i], NULL) != 0;
}

static int put_in_place(unsigned i)
{
	/*
	 * Not deferred: who takes a trap jumps out of the handler, and nothing would unblock the
	 * signal. A trap inside of the handler comes back to it, too.
	 */
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int error = WP_FAULT(WP_FAULT_SIGACTION);
	if (error)
		return -error;
	if (in_place[i])
		return 0;
	action.sa_sigaction = on_trap;
	sigemptyset(&action.sa_mask);
	/* First what was there: the handler may be called at once. */
	if (sigaction(traps[i], NULL, &before[i]) || sigaction(traps[i], &action, NULL))
		return -errno;
	in_place[i] = true;
	return 0;
}

int wp__trap_acquire(wp__trap_fn take)
{
	int error = 0, saved = errno;
	wp__os_mutex_lock(&mutex);
	if (users == 0) {
		/* Relaxed: before the system call that lets the handler be called. */
		wp_store_rlx_u64(&taker, (uint64_t)(uintptr_t)take);
		for (unsigned i = 0; i < TRAPS && !error; i++)
			error = put_in_place(i);
		for (unsigned i = 0; i < TRAPS && error; i++)
			put_back(i);
	}
	users += !error;
	wp__os_mutex_unlock(&mutex);
	errno = saved;
	return error;
}

void wp__trap_release(void)
{
	int saved = errno;
	wp__os_mutex_lock(&mutex);
	if (--users == 0) {
		for (unsigned i = 0; i < TRAPS; i++)
			put_back(i);
		wp_store_rlx_u64(&taker, 0);
	}
	wp__os_mutex_unlock(&mutex);
	errno = saved;
}

void wp__trap_hold(void)
{
	wp__os_mutex_lock(&mutex);
}

void wp__trap_let_go(void)
{
	wp__os_mutex_unlock(&mutex);
}

/* ---- a stack for it ---- */

static int change_stack(const stack_t *stack, stack_t *outer)
{
	int error = WP_FAULT(WP_FAULT_SIGALTSTACK), saved = errno;
	if (!error && sigaltstack(stack, outer))
		error = errno;
	errno = saved;
	return -error;
}

int wp__trap_enter_thread(void)
{
	if (own.memory)
		return 0;
	long page = sysconf(_SC_PAGESIZE), least = sysconf(_SC_MINSIGSTKSZ);
	size_t guard = (size_t)page;
	size_t size = wp_round_up(STACK_SIZE + (size_t)(least > 0 ? least : 0), guard);
	char *memory = wp__os_reserve(guard + size);
	if (!memory)
		return -ENOMEM;
	int error = wp__os_protect(memory, guard);
	stack_t stack = { .ss_sp = memory + guard, .ss_size = size };
	if (!error)
		error = change_stack(&stack, &own.outer);
	if (error) {
		wp__os_release(memory, guard + size);
		return error;
	}
	own.memory = memory;
	own.size = guard + size;
	void *low;
	size_t below;
	if (wp__os_stack_end(&low, &below) == 0) {
		own.overflow = (char *)low - below;
		own.overflow_end = (char *)low + below;
	}
	return 0;
}

void wp__trap_leave_thread(void)
{
	if (!own.memory)
		return;
	int saved = errno;
	(void)sigaltstack(&own.outer, NULL);
	errno = saved;
	wp__os_release(own.memory, own.size);
	memset(&own, 0, sizeof(own));
}
