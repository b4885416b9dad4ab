/* SPDX-License-Identifier: MIT */
/* The handlers for faults: what they pass on, who else has some, and where they cannot be had. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "faults.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

static struct wp_pool *containing_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.contain_faults = true;
	return pool_make(&o);
}

/* ---- what is not a job's ---- */

static void fault_outside(const void *arg)
{
	const struct fault *fault = arg;
	struct wp_pool *pool = containing_pool(2);
	fault->fn(NULL);
	wp_pool_destroy(pool);
}

static int starts_a_thread(void *payload)
{
	const struct fault *fault = payload;
	pthread_t thread;
	t_assert_int_eq(
		pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))fault->fn, NULL),
		0);
	pthread_join(thread, NULL);
	return 0;
}

static void fault_in_thread_of_job(const void *arg)
{
	struct wp_pool *pool = containing_pool(2);
	struct wp_job job = { .fn = starts_a_thread, .payload = (void *)(uintptr_t)arg };
	wp_submit_wait(pool, &job);
	wp_pool_destroy(pool);
}

/* Sent from outside to the process: whichever thread gets it. */
static int sends(void *payload)
{
	kill(getpid(), (int)(intptr_t)payload);
	wp__os_sleep(1000000000);
	return 0;
}

static void send_to_all(const void *arg)
{
	const struct fault *fault = arg;
	struct wp_pool *pool = containing_pool(1);
	struct wp_job job = { .fn = sends, .payload = (void *)(intptr_t)fault->signal };
	wp_submit_wait(pool, &job);
	wp_pool_destroy(pool);
}

T_TEST(contain_handlers, what_is_not_a_jobs_is_passed_on)
{
	SKIP_IF_SANITIZED();
	for (size_t f = 0; f < FAULTS; f++) {
		int signal = faults[f].signal;
		t_assert(died_of(in_child(fault_outside, &faults[f]), signal));
		t_assert(died_of(in_child(fault_in_thread_of_job, &faults[f]), signal));
		t_assert(died_of(in_child(send_to_all, &faults[f]), signal));
	}
}

/* ---- the application's own handlers ---- */

static volatile sig_atomic_t handled, handled_mask;

static void own_handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	handled_mask = sigismember(&mask, number) && sigismember(&mask, SIGUSR1);
	handled = number + (info->si_signo == number ? 1000 : 0);
}

/* Ends the child with a status that says it was asked. */
static void handler_that_exits(int number)
{
	_exit(100 + number);
}

static void own_handlers(const void *arg)
{
	const struct fault *fault = arg;
	struct sigaction action = { .sa_flags = SA_SIGINFO }, now;
	action.sa_sigaction = own_handler;
	sigaddset(&action.sa_mask, SIGUSR1);
	t_assert_int_eq(sigaction(fault->signal, &action, NULL), 0);
	struct wp_pool *one = containing_pool(1), *two = containing_pool(1);
	struct wp_job job = { .fn = fault->fn };
	t_assert_int_eq(wp_submit_wait(one, &job), WP_EPANIC);
	t_assert_int_eq(handled, 0);
	/* Sent, so that the handler may return. */
	t_assert_int_eq(kill(getpid(), fault->signal), 0);
	pool_until(handled);
	t_assert_int_eq(handled, 1000 + fault->signal);
	t_assert(handled_mask);
	wp_pool_destroy(one);
	t_assert_int_eq(wp_submit_wait(two, &job), WP_EPANIC);
	wp_pool_destroy(two);
	t_assert_int_eq(sigaction(fault->signal, NULL, &now), 0);
	t_assert(now.sa_sigaction == own_handler && (now.sa_flags & SA_SIGINFO));
}

static void own_handler_is_asked(const void *arg)
{
	const struct fault *fault = arg;
	struct sigaction action = { .sa_handler = handler_that_exits };
	action.sa_flags = (int)SA_RESETHAND;
	t_assert_int_eq(sigaction(fault->signal, &action, NULL), 0);
	fault_outside(arg);
}

static void handler_on_top(const void *arg)
{
	const struct fault *fault = arg;
	struct wp_pool *pool = containing_pool(1);
	struct sigaction action = { .sa_handler = handler_that_exits }, now;
	t_assert_int_eq(sigaction(fault->signal, &action, NULL), 0);
	wp_pool_destroy(pool);
	t_assert_int_eq(sigaction(fault->signal, NULL, &now), 0);
	t_assert(now.sa_handler == handler_that_exits);
}

T_TEST(contain_handlers, application_handlers)
{
	SKIP_IF_SANITIZED();
	for (size_t f = 0; f < FAULTS; f++) {
		t_assert(ended_well(in_child(own_handlers, &faults[f])));
		t_assert(ended_well(in_child(handler_on_top, &faults[f])));
		if (faults[f].fn == overflow)
			continue; /* the main thread has no other stack */
		int status = in_child(own_handler_is_asked, &faults[f]);
		t_assert(WIFEXITED(status));
		t_assert_int_eq(WEXITSTATUS(status), 100 + faults[f].signal);
	}
}

/* ---- where something cannot be had ---- */

static wp_atomic_u64 events;

static void on_event(void *self, const struct wp_pool_event *event)
{
	(void)self;
	t_assert(event->code < 0 && event->message);
	wp_add_rlx_u64(&events, 1);
}

static void without_stack(const void *arg)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.contain_faults = true;
	o.on_event = on_event;
	wp__fault_arm(*(const enum wp_fault_site *)arg, 1, true, EPERM);
	struct wp_pool *pool = pool_make(&o);
	struct wp_job job = { .fn = segv };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(wp_load_rlx_u64(&events), 1);
	pool_end(pool);
}

T_TEST(contain_handlers, without_a_stack_for_the_handler)
{
	SKIP_IF_SANITIZED();
	enum wp_fault_site sites[] = { WP_FAULT_SIGALTSTACK, WP_FAULT_PROTECT };
	for (unsigned i = 0; i < 2; i++)
		t_assert(ended_well(in_child(without_stack, &sites[i])));
}

T_TEST(contain_handlers, handlers_cannot_be_installed)
{
	struct sigaction before, now;
	sigaction(SIGSEGV, NULL, &before);
	for (unsigned nth = 1; nth <= 4; nth++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.contain_faults = true;
		o.on_event = on_event;
		struct wp_pool *pool;
		wp__fault_arm(WP_FAULT_SIGACTION, nth, false, EINVAL);
		t_assert_int_eq(wp_pool_create(&pool, &o), WP_ENOMEM);
		t_assert_u64_eq(wp_load_rlx_u64(&events), nth);
		sigaction(SIGSEGV, NULL, &now);
		t_assert(now.sa_sigaction == before.sa_sigaction);
	}
}
