/* SPDX-License-Identifier: MIT */
#include "engine/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/job.h>

#include "base/trap.h"
#include "engine/pool.h"

#define OUTSIDE "wpool: wp_panic outside of a job: "

/* The thread is ending: what was on its stack below the guard is gone, also for a backtrace. */
static void note_end(struct wp__worker *w)
{
	w->dying = true;
	static const char message[] = "job ended its thread (pthread_exit or cancellation)";
	w->gave_up.code = WP_EPANIC;
	w->gave_up.signal = 0;
	w->gave_up.address = NULL;
	w->gave_up.frame_count = 0;
	memcpy(w->gave_up.message, message, sizeof(message));
}

bool wp__guard_run(struct wp__worker *w, void (*body)(void *worker))
{
	struct wp__escape here, *outer = w->escape;
	w->escape = &here;
	bool returned = wp__os_try(&here, body, w);
	w->escape = outer;
	if (!returned && here.thread_ends)
		note_end(w);
	return returned;
}

void wp__guard_prepare(void)
{
	void *frame;
	static wp_atomic_u32 prepared;
	if (wp_load_rlx_u32(&prepared))
		return;
	(void)wp__os_backtrace(&frame, 1);
	/* Relaxed: the value stands for itself; two threads may both prepare. */
	wp_store_rlx_u32(&prepared, 1);
}

/* Takes the backtrace, from the frame that `caller` returns into on. */
static void note_frames(struct wp__giving_up *g, void *caller)
{
	unsigned count = wp__os_backtrace(g->frames, WP__FRAMES_MAX), first = 0;
	while (first < count && g->frames[first] != caller)
		first++;
	if (first == count)
		first = 0;
	g->frame_count = count - first;
	memmove(g->frames, g->frames + first, g->frame_count * sizeof(g->frames[0]));
}

WP_PRINTF(1, 0) static _Noreturn WP_COLD void die_outside(const char *fmt, va_list args)
{
	char message[sizeof(OUTSIDE) + WP__MESSAGE_MAX] = OUTSIDE;
	vsnprintf(message + sizeof(OUTSIDE) - 1, WP__MESSAGE_MAX, fmt, args);
	wp__os_die(message);
}

void wp_panic(int code, const char *fmt, ...)
{
	struct wp__worker *w = wp__self;
	va_list args;
	va_start(args, fmt);
	if (!fmt)
		fmt = "no message";
	if (!w || !w->running || w->running->held)
		die_outside(fmt, args);
	struct wp__giving_up *g = &w->gave_up;
	g->code = code ? code : WP_EPANIC;
	g->signal = 0;
	g->address = NULL;
	vsnprintf(g->message, sizeof(g->message), fmt, args);
	va_end(args);
	note_frames(g, __builtin_return_address(0));
	wp__os_escape(w->escape);
}

/* In the signal handler. */
void wp__guard_take(const struct wp__trap *trap)
{
	struct wp__worker *w = wp__self;
	if (!w || !w->running || w->running->held || !w->pool->options.contain_faults)
		return;
	/* In one of wpool's functions, which would leave it locked for everybody. */
	if (wp__os_mutexes_held)
		return;
	struct wp__giving_up *g = &w->gave_up;
	g->code = WP_EPANIC;
	g->signal = trap->signal;
	g->address = trap->address;
	snprintf(g->message, sizeof(g->message), "%s (signal %d) at address %p", trap->what,
		trap->signal, trap->address);
	/* The unwinder walks over what the job may have ruined, and may trap in its turn. */
	bool again = w->tracing;
	w->tracing = true;
	g->frame_count = again ? 0 : wp__os_backtrace(g->frames, WP__FRAMES_MAX);
	w->tracing = false;
	wp__os_escape(w->escape);
}
