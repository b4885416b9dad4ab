/* SPDX-License-Identifier: MIT */
/*
 * Guard: what a job that gives up leaves behind, and where its worker goes on.
 *
 * A job runs on its worker's stack, at any depth. It can end there without returning:
 *
 *   panic    it calls wp_panic
 *   end      it calls pthread_exit, or the thread is cancelled
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

/* Loads what a first backtrace would load: at a pool's creation. */
void wp__guard_prepare(void);

#endif
