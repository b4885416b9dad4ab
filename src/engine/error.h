/* SPDX-License-Identifier: MIT */
/*
 * Errors of jobs: told to the application's handler, and the last one kept.
 *
 * The last error is one word, its code, stored without looking: jobs that fail at a high rate on
 * many workers must not queue up here. The message of most errors follows from the code. That of
 * a panic does not: it is kept under a mutex, and the word says so.
 *
 *     last_error = code | OF_PANIC        OF_PANIC is only ever set under the mutex
 */
#ifndef WP_ENGINE_ERROR_H
#define WP_ENGINE_ERROR_H

#include <stddef.h>

#include "engine/pool.h"

/* The text for what a job returned. */
const char *wp__error_message(int code);

/* The worker's job has returned code: counts it, keeps it, tells the handler. */
void wp__error_failed(struct wp__worker *w, const struct wp_job *job, int code);

/* The same for a job that gave up: see w->gave_up. */
void wp__error_panicked(struct wp__worker *w, const struct wp_job *job);

/* A cleanup or a handler gave up: counts and keeps it. */
void wp__error_in_handler(struct wp__worker *w);

/* The code of the last error; its message, where message is not NULL. Any thread. */
int wp__error_last(struct wp_pool *pool, char *message, size_t size);

#endif
