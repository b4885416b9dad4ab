/* SPDX-License-Identifier: MIT */
/* Faults of jobs, contained and not, in child processes: how each child ends is what is tested. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "counted.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

/* A sanitizer has handlers of its own, and stops at the faults that these tests make. */
#if T_SANITIZED
#define SKIP_IF_SANITIZED() t_skip("the sanitizer owns the signal handlers")
#else
#define SKIP_IF_SANITIZED()                                            \
	do {                                                           \
		if (t_memcheck())                                      \
			t_skip("valgrind reports each of the faults"); \
	} while (0)
#endif

/* ---- the faults ---- */

static int segv(void *payload)
{
	(void)payload;
	volatile int *volatile nowhere = (int *)16;
	return *nowhere;
}

/* A mapping of a file beyond its end. */
static int bus(void *payload)
{
	(void)payload;
	FILE *file = tmpfile();
	t_assert(file != NULL);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
	t_assert(p != MAP_FAILED);
	return p[0];
}

static int fpe(void *payload)
{
	(void)payload;
#ifdef __x86_64__
	volatile int one = 1, zero = 0;
	return one / zero;
#else
	return raise(SIGFPE);
#endif
}

static int ill(void *payload)
{
	(void)payload;
#if defined(__x86_64__)
	__asm__ volatile("ud2");
#elif defined(__aarch64__)
	__asm__ volatile(".inst 0");
#else
	raise(SIGILL);
#endif
	return 0;
}

static int overflow_step(int depth);
static int (*volatile overflow_on)(int) = overflow_step;

static int overflow_step(int depth)
{
	volatile char room[500];
	room[depth % 500] = (char)depth;
	return overflow_on(depth + 1) + room[(depth + 1) % 500];
}

static int overflow(void *payload)
{
	(void)payload;
	return overflow_on(0);
}

static const struct fault {
	const char *name;
	wp_job_fn fn;
	int signal;
	const char *says;
} faults[] = {
	{ "SIGSEGV", segv, SIGSEGV, "segmentation fault (signal 11) at address 0x10" },
	{ "SIGBUS", bus, SIGBUS, "bus error" },
	{ "SIGFPE", fpe, SIGFPE, "arithmetic fault" },
	{ "SIGILL", ill, SIGILL, "illegal instruction" },
	{ "overflow", overflow, SIGSEGV, "stack overflow (signal 11)" },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* ---- children ---- */

static void stay_quiet(void)
{
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
}

/* The status of a child that runs what(arg) and then ends with 0. */
static int in_child(void (*what)(const void *arg), const void *arg)
{
	fflush(NULL);
	pid_t child = fork();
	t_assert(child >= 0);
	if (child == 0) {
		stay_quiet();
		what(arg);
		_exit(0);
	}
	int status;
	t_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static bool died_of(int status, int signal)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static bool ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- in every state of the pool ---- */

static wp_atomic_u64 told;

/*
 * What a child has to say even if it dies: in what state its pool was when the fault came, and how
 * many jobs were left, queued or claimed.
 */
static struct word {
	wp_atomic_u32 said;
	enum wp_state state;
	uint64_t left;
} * word;

static void say(const struct wp_pool *pool)
{
	if (wp_load_rlx_u32(&word->said))
		return;
	word->state = wp_pool_state(pool);
	struct wp_stats stats = pool_stats(pool);
	word->left = stats.queued + stats.running;
	wp_store_rel_u32(&word->said, 1);
}

static void on_error(void *self, const struct wp_job_error *error)
{
	const struct fault *fault = self;
	t_assert_int_eq(error->signal, fault->signal);
	t_assert_int_eq(error->code, WP_EPANIC);
	t_assert_int_eq(error->result, WP_EPANIC);
	t_assert(error->fn == fault->fn);
	t_assert_msg(strstr(error->message, fault->says) != NULL, "%s", error->message);
	t_assert(error->frame_count > 0 && strchr(error->backtrace, '\n'));
	wp_add_rlx_u64(&told, 1);
}

enum state { BUSY, DRAINING, STOPPING, STATES };

struct setting {
	const struct fault *fault;
	bool contain;
	enum state state;
};

static struct gate gate;

struct opener {
	struct wp_pool *pool;
	enum state state;
};

/* When the shutdown waits for the jobs; when the stop has told all workers. */
static void *open_gate_when_ending(void *arg)
{
	const struct opener *o = arg;
	if (o->state == STOPPING)
		pool_until(pool_discards(o->pool) && wp_pool_state(o->pool) == WP_STATE_STOPPING);
	else
		pool_until(wp_pool_state(o->pool) == WP_STATE_DRAINING);
	gate_open(&gate);
	return NULL;
}

/* Passes the gate, and then does what it has to. */
static int late_fault(void *payload)
{
	const struct fault *fault = payload;
	gate_fn(&gate);
	say(wp_job_current()->pool);
	return fault->fn(NULL);
}

static int fault_in_between(void *payload)
{
	const struct fault *fault = payload;
	say(wp_job_current()->pool);
	return fault->fn(NULL);
}

static struct wp_pool *pool_for(const struct setting *s, unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.contain_faults = s->contain;
	o.on_error = on_error;
	o.on_error_self = (void *)(uintptr_t)s->fault;
	return pool_make(&o);
}

static void busy(const struct setting *s)
{
	struct fault in_between = *s->fault;
	in_between.fn = fault_in_between;
	struct setting own = *s;
	own.fault = &in_between;
	struct wp_pool *pool = pool_for(&own, 2);
	struct wp_job fault = {
		.fn = fault_in_between, .payload = (void *)(uintptr_t)s->fault, .cleanup = cleanup
	};
	struct wp_job work = { .fn = works, .cleanup = cleanup };
	/* One worker is in a job all the time; the other one has jobs before it and behind it. */
	gate_hold(&gate, pool, 1);
	struct wp_job jobs[300];
	for (unsigned i = 0; i < 300; i++)
		jobs[i] = i % 30 == 7 ? fault : work;
	t_assert_int_eq(wp_submit_batch(pool, jobs, 300), 300);
	pool_until(wp_load_rlx_u64(&cleaned) == 300);
	gate_open(&gate);
	t_assert_int_eq(wp_submit_wait(pool, &fault), WP_EPANIC);
	t_assert_int_eq(wp_submit_wait(pool, &work), 0);
	pool_wait(pool);
	struct wp_stats stats = pool_stats(pool);
	t_assert_u64_eq(stats.panicked, 11);
	t_assert_u64_eq(stats.completed, 292);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 11);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 291);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 302);
	pool_end(pool);
}

/* The fault comes while the pool is being shut down or stopped. */
static void ending(const struct setting *s)
{
	struct fault late = *s->fault;
	late.fn = late_fault;
	struct setting own = *s;
	own.fault = &late;
	struct wp_pool *pool = pool_for(&own, 1);
	struct wp_job fault = {
		.fn = late_fault, .payload = (void *)(uintptr_t)s->fault, .cleanup = cleanup
	};
	struct wp_job work = { .fn = works, .cleanup = cleanup };
	t_assert_int_eq(wp_submit_job(pool, &fault), 0);
	pool_until(wp_load_acq_u32(&gate.entered));
	for (unsigned i = 0; i < 20; i++)
		t_assert_int_eq(wp_submit_job(pool, &work), 0);
	struct opener how = { pool, s->state };
	pthread_t opener;
	t_assert_int_eq(pthread_create(&opener, NULL, open_gate_when_ending, &how), 0);
	struct wp_stop_report report;
	if (s->state == DRAINING)
		t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	else
		t_assert_int_eq(wp_pool_stop(pool, &report), 0);
	pthread_join(opener, NULL);
	t_assert_u64_eq(report.completed, s->state == DRAINING ? 20 : 0);
	t_assert_u64_eq(report.dropped, s->state == DRAINING ? 0 : 20);
	t_assert_u64_eq(report.panicked, 1);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), report.completed);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 21);
	pool_destroy(pool);
}

static void run_setting(const void *arg)
{
	const struct setting *s = arg;
	if (s->state == BUSY)
		busy(s);
	else
		ending(s);
}

/* The child came as far as the fault, with the pool in that state, and ended as it had to. */
static void try_one(const struct setting *s)
{
	static const enum wp_state states[STATES] = { WP_STATE_OPEN, WP_STATE_DRAINING,
		WP_STATE_STOPPING };
	wp_store_rlx_u32(&word->said, 0);
	int status = in_child(run_setting, s);
	t_assert_msg(s->contain ? ended_well(status) : died_of(status, s->fault->signal),
		"%s, state %u: status %#x", s->fault->name, (unsigned)s->state, (unsigned)status);
	t_assert_u64_eq(wp_load_acq_u32(&word->said), 1);
	t_assert_int_eq(word->state, states[s->state]);
	t_assert(word->left >= (s->state == BUSY ? 293 : 21));
}

static void try_all(bool contain)
{
	word = child_shared(sizeof(*word));
	for (size_t f = 0; f < FAULTS; f++)
		for (unsigned state = 0; state < STATES; state++)
			try_one(&(struct setting){ &faults[f], contain, (enum state)state });
}

T_TEST(contain, on)
{
	SKIP_IF_SANITIZED();
	try_all(true);
}

T_TEST(contain, off)
{
	SKIP_IF_SANITIZED();
	try_all(false);
}

/* ---- nested ---- */

static struct wp_pool *the_pool;

static int waits_for_faults(void *payload)
{
	(void)payload;
	for (size_t f = 0; f < FAULTS; f++) {
		struct wp_job inner = { .fn = faults[f].fn, .cleanup = cleanup };
		t_assert_int_eq(wp_submit_wait(the_pool, &inner), WP_EPANIC);
	}
	return 0;
}

static void run_nested(const void *arg)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = *(const unsigned *)arg;
	o.contain_faults = true;
	the_pool = pool_make(&o);
	struct wp_job outer = { .fn = waits_for_faults };
	for (unsigned i = 0; i < 100; i++)
		t_assert_int_eq(wp_submit_wait(the_pool, &outer), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(pool_stats(the_pool).panicked, 100 * FAULTS);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 100 * FAULTS);
	pool_end(the_pool);
}

T_TEST(contain, inner_job_leaves_the_outer)
{
	SKIP_IF_SANITIZED();
	for (unsigned workers = 1; workers <= 2; workers++)
		t_assert(ended_well(in_child(run_nested, &workers)));
}

/* ---- what is not a job's ---- */

static void fault_outside(const void *arg)
{
	struct setting s = { arg, true, BUSY };
	struct wp_pool *pool = pool_for(&s, 2);
	s.fault->fn(NULL);
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
	struct setting s = { arg, true, BUSY };
	struct wp_pool *pool = pool_for(&s, 2);
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
	struct setting s = { arg, true, BUSY };
	struct wp_pool *pool = pool_for(&s, 1);
	struct wp_job job = { .fn = sends, .payload = (void *)(intptr_t)s.fault->signal };
	wp_submit_wait(pool, &job);
	wp_pool_destroy(pool);
}

T_TEST(contain, what_is_not_a_jobs_is_passed_on)
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
	struct setting s = { fault, true, BUSY };
	struct wp_pool *one = pool_for(&s, 1), *two = pool_for(&s, 1);
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
	struct setting s = { fault, true, BUSY };
	struct wp_pool *pool = pool_for(&s, 1);
	struct sigaction action = { .sa_handler = handler_that_exits }, now;
	t_assert_int_eq(sigaction(fault->signal, &action, NULL), 0);
	wp_pool_destroy(pool);
	t_assert_int_eq(sigaction(fault->signal, NULL, &now), 0);
	t_assert(now.sa_handler == handler_that_exits);
}

T_TEST(contain, application_handlers)
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

/* ---- odd ones ---- */

static int raises(void *payload)
{
	return raise((int)(intptr_t)payload);
}

/* Ruins its own stack, so that there is no backtrace to be had. */
static int ruins_its_stack(void *payload)
{
	volatile uintptr_t *frame = __builtin_frame_address(0);
	(void)payload;
	for (unsigned i = 0; i < 16; i++)
		frame[i] = 0x10;
	return 0;
}

static void faulting_cleanup(void *payload)
{
	wp_add_rlx_u64(&cleaned, 1);
	segv(payload);
}

static void run_odd_ones(const void *arg)
{
	(void)arg;
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.contain_faults = true;
	struct wp_pool *pool = pool_make(&o);
	for (size_t f = 0; f < FAULTS; f++) {
		struct wp_job job = { .fn = raises,
			.payload = (void *)(intptr_t)faults[f].signal,
			.cleanup = faulting_cleanup };
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	}
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).handler_panics, FAULTS);
	struct wp_job job = { .fn = ruins_its_stack };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	/* The same signals are not blocked afterwards, and threads may still be replaced. */
	job.fn = (wp_job_fn)(uintptr_t)pthread_exit;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	job.fn = overflow;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	char message[100];
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_EPANIC);
	t_assert(strncmp(message, "stack overflow", 14) == 0);
	pool_end(pool);
}

T_TEST(contain, odd_ones)
{
	SKIP_IF_SANITIZED();
	t_assert(ended_well(in_child(run_odd_ones, NULL)));
}

/* The handler faults, too, at what the job has left; so does the cleanup after it. */
static void faulting_handler(void *self, const struct wp_job_error *error)
{
	const struct fault *fault = self;
	wp_add_rlx_u64(&told, 1);
	fault->fn(error->payload);
}

static void run_faulting_handlers(const void *arg)
{
	struct wp_options o = WP_OPTIONS_INIT;
	const struct fault *fault = arg;
	o.workers = 1;
	o.contain_faults = true;
	o.timing = true;
	o.on_error = faulting_handler;
	o.on_error_self = (void *)(uintptr_t)arg;
	struct wp_pool *pool = pool_make(&o);
	struct wp_job job = { .fn = fault->fn, .cleanup = faulting_cleanup };
	struct wp_job work = { .fn = works };
	for (unsigned i = 0; i < 10; i++) {
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
		t_assert_int_eq(wp_submit_wait(pool, &work), 0);
	}
	pool_wait(pool);
	struct wp_stats stats = pool_stats(pool);
	t_assert_u64_eq(stats.panicked, 10);
	t_assert_u64_eq(stats.completed, 10);
	t_assert_u64_eq(stats.handler_panics, 20);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 10);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 10);
	pool_end(pool);
}

T_TEST(contain, in_handlers)
{
	SKIP_IF_SANITIZED();
	for (size_t f = 0; f < FAULTS; f++)
		t_assert(ended_well(in_child(run_faulting_handlers, &faults[f])));
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

T_TEST(contain, without_a_stack_for_the_handler)
{
	SKIP_IF_SANITIZED();
	enum wp_fault_site sites[] = { WP_FAULT_SIGALTSTACK, WP_FAULT_PROTECT };
	for (unsigned i = 0; i < 2; i++)
		t_assert(ended_well(in_child(without_stack, &sites[i])));
}

T_TEST(contain, handlers_cannot_be_installed)
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
