/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* ---- making it smaller ---- */

static void drop(struct wgl_history *h, uint32_t i)
{
	h->ops--;
	memmove(&h->op[i], &h->op[i + 1], (h->ops - i) * sizeof(h->op[0]));
}

/* Takes the value out of the pops that got it, and those away that got nothing else. */
static void drop_from_pops(struct wgl_history *h, uint8_t value)
{
	for (uint32_t i = h->ops; i-- > 0;) {
		struct wgl_op *op = &h->op[i];
		uint8_t kept = 0;
		for (uint32_t k = 0; k < op->count; k++)
			if (op->got[k] != value)
				op->got[kept++] = op->got[k];
		bool emptied = op->count && !kept;
		op->count = kept;
		if (emptied)
			drop(h, i);
	}
}

static bool is_idle(const struct wgl_op *op)
{
	if (op->kind == WGL_PUSH)
		return op->answer != WGL_OK;
	return op->kind == WGL_CLOSE || op->count == 0;
}

/* Whether it began after everything else had returned. */
static bool is_last(const struct wgl_history *h, uint32_t i)
{
	for (uint32_t k = 0; k < h->ops; k++)
		if (k != i && h->op[k].resp >= h->op[i].inv)
			return false;
	return true;
}

/* One round over the operations; whether any could be dropped. */
static bool drop_any(struct wgl_history *h, struct wgl_memo *memo, bool idle)
{
	bool dropped = false;
	for (uint32_t i = 0; i < h->ops;) {
		struct wgl_history less = *h;
		const struct wgl_op *op = &h->op[i];
		bool alone = is_idle(op) || is_last(h, i);
		if (alone != idle || (!idle && op->kind != WGL_PUSH)) {
			i++;
			continue;
		}
		drop(&less, i);
		if (!idle)
			drop_from_pops(&less, op->value);
		if (wgl_check(&less, memo) == WGL_REJECTED) {
			*h = less;
			dropped = true;
		} else {
			i++;
		}
	}
	return dropped;
}

void wgl_shrink(struct wgl_history *history, struct wgl_memo *memo)
{
	while (drop_any(history, memo, true) || drop_any(history, memo, false))
		;
}

/* ---- printing ---- */

#define COLUMN 24

struct event {
	uint64_t stamp;
	const struct wgl_op *op;
	bool response;
};

static int by_stamp(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	return x->response - y->response;
}

static void describe(const struct event *e, char *text, size_t size)
{
	const struct wgl_op *op = e->op;
	static const char *const answers[] = { "ok", "full", "closed" };
	if (!e->response && op->kind == WGL_PUSH) {
		snprintf(text, size, "push %u {", op->value);
	} else if (!e->response && op->kind == WGL_CLOSE) {
		snprintf(text, size, "close {");
	} else if (!e->response) {
		snprintf(text, size, "%s %u {", op->kind == WGL_CLAIM ? "claim" : "pop_many",
			op->max);
	} else if (op->kind == WGL_PUSH || op->kind == WGL_CLOSE) {
		snprintf(text, size, "} %s", answers[op->answer]);
	} else {
		int n = snprintf(text, size, op->count ? "}" : "} nothing");
		for (unsigned i = 0; i < op->count && n > 0 && (size_t)n < size; i++)
			n += snprintf(text + n, size - (size_t)n, " %u", op->got[i]);
	}
}

void wgl_print(FILE *to, const struct wgl_history *h)
{
	struct event events[2 * WGL_OPS];
	unsigned n = 0, threads = 0;
	for (uint32_t i = 0; i < h->ops; i++) {
		const struct wgl_op *op = &h->op[i];
		events[n++] = (struct event){ op->inv, op, false };
		events[n++] = (struct event){ op->resp, op, true };
		if (op->thread >= threads)
			threads = op->thread + 1u;
	}
	qsort(events, n, sizeof(events[0]), by_stamp);
	fprintf(to, "capacity %u, segments of %u, %u operations\n", h->capacity, h->segment_size,
		h->ops);
	for (unsigned t = 0; t < threads; t++)
		fprintf(to, "thread %-*u", COLUMN - 7, t);
	fprintf(to, "\n");
	for (unsigned i = 0; i < n; i++) {
		char text[64];
		describe(&events[i], text, sizeof(text));
		fprintf(to, "%*s%s\n", COLUMN * events[i].op->thread, "", text);
	}
}
