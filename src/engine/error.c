/* SPDX-License-Identifier: MIT */
#include "engine/error.h"

#include <stdio.h>
#include <string.h>

#include <wpool/error.h>

#include "work/job.h"

#define OF_PANIC      (UINT64_C(1) << 32)
#define BACKTRACE_MAX 3072 /* text; about 90 bytes a frame */

const char *wp__error_message(int code)
{
	const char *message = wp_strerror(code);
	return strcmp(message, "unknown error") == 0 ? "job failed" : message;
}

/* ---- the last one ---- */

static void keep(struct wp_pool *pool, int code)
{
	/* Relaxed: the word stands for itself. */
	wp_store_rlx_u64(&pool->last_error, (uint32_t)code);
}

static void keep_panic(struct wp_pool *pool, const struct wp__giving_up *g)
{
	wp__os_mutex_lock(&pool->panic_mutex);
	memcpy(pool->last_panic, g->message, sizeof(pool->last_panic));
	wp_store_rlx_u64(&pool->last_error, (uint32_t)g->code | OF_PANIC);
	wp__os_mutex_unlock(&pool->panic_mutex);
}

int wp__error_last(struct wp_pool *pool, char *message, size_t size)
{
	if (!message || size == 0)
		return (int)(uint32_t)wp_load_rlx_u64(&pool->last_error);
	char panic[WP__MESSAGE_MAX];
	wp__os_mutex_lock(&pool->panic_mutex);
	uint64_t last = wp_load_rlx_u64(&pool->last_error);
	memcpy(panic, pool->last_panic, sizeof(panic));
	wp__os_mutex_unlock(&pool->panic_mutex);
	int code = (int)(uint32_t)last;
	const char *text = last & OF_PANIC ? panic : code ? wp__error_message(code) : "";
	/* Without the mutex: the caller's memory may be none. */
	snprintf(message, size, "%s", text);
	return code;
}

/* ---- the handler ---- */

/* About the job that the worker runs; what concerns its end is filled in already. */
static void tell(struct wp__worker *w, const struct wp_job *job, struct wp_job_error *error)
{
	const struct wp_options *o = &w->pool->options;
	const struct wp_job *real = wp__job_unwrap(job);
	error->pool = w->pool;
	error->job_id = w->running->first_id + w->running->index;
	error->worker = w->index;
	error->attempt = 1;
	error->fn = real->fn;
	error->payload = real->payload;
	error->ctx = real->ctx;
	w->phase = WP__IN_HANDLER;
	o->on_error(o->on_error_self, error);
	w->phase = WP__IN_JOB;
}

WP_COLD void wp__error_failed(struct wp__worker *w, const struct wp_job *job, int code)
{
	w->running->outcome = WP__FAILED;
	keep(w->pool, code);
	if (!w->pool->options.on_error)
		return;
	struct wp_job_error error = {
		.code = code,
		.message = wp__error_message(code),
		.result = code,
		.backtrace = "",
	};
	tell(w, job, &error);
}

WP_COLD void wp__error_panicked(struct wp__worker *w, const struct wp_job *job)
{
	w->running->outcome = WP__PANICKED;
	keep_panic(w->pool, &w->gave_up);
	if (!w->pool->options.on_error)
		return;
	/* A copy: what the handler does may give up in its turn. */
	struct wp__giving_up g = w->gave_up;
	char backtrace[BACKTRACE_MAX];
	wp__os_symbolize(g.frames, g.frame_count, backtrace, sizeof(backtrace));
	struct wp_job_error error = {
		.code = g.code,
		.message = g.message,
		.result = WP_EPANIC,
		.signal = g.signal,
		.address = g.address,
		.frame_count = g.frame_count,
		.frames = g.frames,
		.backtrace = backtrace,
	};
	tell(w, job, &error);
}

WP_COLD void wp__error_in_handler(struct wp__worker *w)
{
	wp__count(&w->handler_panics, 1);
	keep_panic(w->pool, &w->gave_up);
}
