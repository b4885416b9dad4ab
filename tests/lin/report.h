/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a small history that was rejected: it is made smaller and printed.
 *
 * An operation may be dropped from a history when a history that the queue may have remains one
 * without it; then what is rejected without it was rejected for a reason that is still there. That
 * holds for every operation that changed nothing: a pop of nothing, a push that was refused; for a
 * close after which nobody was refused; and for whatever began after all else had returned. Of a
 * job, push and pop can only be dropped together; that may change the reason, because what was full
 * is not full any more and segments end elsewhere. So such a pair is dropped last, and both the
 * whole history and the rest are printed.
 */
#ifndef WP_TESTS_LIN_REPORT_H
#define WP_TESTS_LIN_REPORT_H

#include <stdio.h>

#include "wgl.h"

/* Drops operations from a rejected history as long as it is rejected. */
void wgl_shrink(struct wgl_history *history, struct wgl_memo *memo);

/* A table: a column per thread, a row per invocation and response, in their order. */
void wgl_print(FILE *to, const struct wgl_history *history);

#endif
