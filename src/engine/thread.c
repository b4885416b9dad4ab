/* SPDX-License-Identifier: MIT */
#include "engine/thread.h"

#include <limits.h>
#include <stdio.h>

#include "base/rcu.h"
#include "base/trap.h"
#include "engine/fork.h"
#include "engine/pool.h"
#include "engine/run.h"
#include "engine/worker.h"
#include "topo/pin.h"

/*
 * The kernel may wake a worker on the processor that its waker runs on, even where another one is
 * idle. The worker then waits for the end of the waker's time slice, milliseconds, unless its own
 * is shorter: such a thread need not wait (EEVDF, Linux 6.12). This is the shortest there is.
 */
#define SLICE_NS UINT64_C(100000)

static void set_up_thread(struct wp__worker *w)
{
	char name[32];
	snprintf(name, sizeof(name), "%.9s/%u", w->pool->name, w->index);
	(void)wp__os_thread_set_name(name); /* a thread without its name works as well */
	if (w->pool->options.profile != WP_PROFILE_ECO)
		(void)wp__os_thread_set_slice(SLICE_NS); /* advice: nothing depends on it */
	int error = w->pool->options.contain_faults ? wp__trap_enter_thread() : 0;
	if (error)
		wp__pool_event(w->pool, error, w->index, "stack overflows cannot be contained");
	if (w->cpu != UINT_MAX) {
		error = wp__pin_self(w->cpu);
		if (error)
			wp__pool_event(w->pool, error, w->index, "worker could not be pinned");
	}
}

/* What the thread does; anew when a job gave up. All that calls user code is in here. */
static void live(void *worker)
{
	struct wp__worker *w = worker;
	int error = w->replace_error;
	w->replace_error = 0;
	if (error)
		wp__pool_event(w->pool, error, w->index,
			"thread that a job has ended could not be replaced, and goes on");
	if (!w->is_set_up) {
		w->is_set_up = true;
		set_up_thread(w);
	}
	if (w->running)
		wp__run_resume(w);
	wp__worker_work(w);
}

/* Starts a thread in place of this one, which is about to end. True: the worker is the other's. */
static WP_COLD bool hand_over_worker(struct wp__worker *w)
{
	struct wp__thread thread;
	size_t stack_size = w->pool->options.stack_size;
	w->dying = false;
	w->replaces = true;
	w->is_set_up = false;
	int error = wp__os_thread_create(&thread, stack_size, wp__thread_main, w);
	if (!error)
		return true;
	w->replaces = false;
	w->is_set_up = true;
	w->replace_error = error;
	return false;
}

/* True: the worker has ended. False: another thread goes on. */
static bool live_on(struct wp__worker *w)
{
	for (;;) {
		bool returned = wp__guard_run(w, live);
		if (returned && !w->dying)
			return true;
		if (wp__is_orphan(w))
			return true; /* nothing more is to be run, whatever the job has done */
		if (w->dying && hand_over_worker(w))
			return false;
	}
}

void *wp__thread_main(void *arg)
{
	struct wp__worker *w = arg;
	if (w->replaces) {
		wp__os_thread_join(&w->thread);
		w->replaces = false;
		wp__count(&w->replaced, 1);
	}
	wp__os_thread_self(&w->thread);
	wp__self = w;
	wp__rcu_register();
	bool ended = live_on(w);
	if (ended)
		wp__parking_leave(&w->pool->parking, w->index);
	wp__rcu_unregister();
	wp__trap_leave_thread();
	wp__self = NULL; /* destructors of the thread's data may run user code */
	/* In the child of a fork nobody joins this thread, and with it the process ends. */
	bool orphaned = wp__is_orphan(w) && w->pool->orphaned;
	if (ended)
		wp__latch_set(&w->ended);
	if (orphaned)
		wp__pool_free(w->pool);
	return NULL;
}
