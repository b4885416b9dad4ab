/* SPDX-License-Identifier: MIT */
/*
 * Guard: what a job that gives up leaves behind, and where its worker goes on.
 *
 * A job runs on its worker's stack, at any depth. It can end there without returning:
 *
 *   panic    it calls wp_panic
 *   end      it calls pthread_exit, or the thread is cancelled
 *   fault    it raises SIGSEGV, SIGBUS, SIGFPE or SIGILL, and the pool contains faults
 *
 * Either way control comes back to a frame further out, the guard, which knows from the worker's
 * state (struct wp__running, and `phase`) what was going on, and goes on from there: engine/run.c.
 *
 * Cost. There is one guard around all that a worker's thread does, and one around each job that
 * runs inside of another job (whose frames must survive). So a job that does not give up pays
 * nothing, and neither does a batch; a nested one pays two saves of the registers. Everything that
 * has to survive a jump is kept in struct wp__worker or in frames outside of the guard's.
 *
 *     guards of a worker = 1 + jobs that run inside of others
 *     w->running != NULL  <=>  user code may give up; elsewhere wp_panic aborts
 *
 * A fault may strike in the middle of anything. What must not be left in the middle is what wpool
 * does inside of a job on its behalf: waiting for another job, whose result will be written to this
 * stack; passing on jobs that it has claimed; and submitting, to this pool or another one, where a
 * ticket without its job, or a wake-up that was taken and not given, would stop a lane for ever.
 * While it does so it holds the guard (`held`), and a fault is nobody's. User code that is called
 * meanwhile runs under guards of its own. The same holds while one of wpool's mutexes is held (a
 * context's, a pool's): it would stay locked. A single submit by a producer's handle goes without,
 * for the few nanoseconds that are the point of it: a fault right there (a job that is no memory, a
 * stack that ends) may leave its lane with a ticket that no job comes for.
 *
 * What a job held when it gave up (locks, memory, files) stays held: wpool does not know of it.
 */
#ifndef WP_ENGINE_GUARD_H
#define WP_ENGINE_GUARD_H

#include <stdbool.h>

#include "base/os.h"

#define WP__FRAMES_MAX  32
#define WP__MESSAGE_MAX 256

/* What a worker is doing with the job that it runs. */
enum wp__phase {
	WP__IN_JOB,     /* the job's function */
	WP__IN_HANDLER, /* on_error is being told */
	WP__IN_CLEANUP, /* the job's cleanup, after it ran */
	WP__IN_DROP,    /* the job's cleanup, instead of running it: the pool is being stopped */
	WP__IN_CANCEL,  /* the same, because its context has ended */
};

/* How it ended that something was given up. */
struct wp__giving_up {
	int code;
	int signal; /* of a fault; else 0 */
	const void *address;
	unsigned frame_count;
	void *frames[WP__FRAMES_MAX];
	char message[WP__MESSAGE_MAX];
};

struct wp__worker;

/*
 * Worker w, on its thread: calls body(w) with a guard around it. False: it was given up; w->gave_up
 * tells how.
 */
bool wp__guard_run(struct wp__worker *w, void (*body)(void *worker));

/* For traps (base/trap.h): gives up the thread's job, or returns where it is not a job's fault. */
struct wp__trap;
void wp__guard_take(const struct wp__trap *trap);

/* Loads what a first backtrace would load: at a pool's creation. */
void wp__guard_prepare(void);

#endif
