/* SPDX-License-Identifier: MIT */
#include "wgl.h"

#include <string.h>

/* How far an operation is: push 0, RESERVED; a pop: how many it has taken, and LOOKED. */
#define RESERVED 1
#define LOOKED   0x40
#define FINISHED 0x80
#define TAKEN    0x3f

#define STEPS_MAX  UINT64_C(20000000)
#define PLACE_FREE 0xff /* in order[], behind the queue's end */

struct state {
	uint8_t progress[WGL_OPS];
	uint8_t order[WGL_OPS]; /* the queue: values, the oldest first */
	uint32_t length;
	uint32_t head;      /* places that have left */
	uint32_t published; /* a bit per value */
	bool closed;
};

struct search {
	const struct wgl_history *history;
	struct wgl_memo *memo;
	uint64_t steps;
};

/* ---- memory ---- */

static uint32_t hash_of(const struct state *s)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
	const uint8_t *parts[2] = { s->progress, s->order };
	for (unsigned p = 0; p < 2; p++)
		for (unsigned i = 0; i < WGL_OPS; i += 8) {
			uint64_t word;
			memcpy(&word, parts[p] + i, sizeof(word));
			h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
			h ^= h >> 32;
		}
	return (uint32_t)h;
}

/* Whether the configuration was here before; remembers it if there is room. */
static bool reached(struct wgl_memo *memo, const struct state *s)
{
	for (uint32_t at = hash_of(s);; at++) {
		struct wgl_memo_entry *entry = &memo->entry[at & (memo->size - 1)];
		if (entry->check != memo->check) {
			if (memo->used >= memo->size / 4 * 3)
				return false;
			memo->used++;
			entry->check = memo->check;
			memcpy(entry->progress, s->progress, sizeof(s->progress));
			memcpy(entry->order, s->order, sizeof(s->order));
			return false;
		}
		if (memcmp(entry->progress, s->progress, sizeof(s->progress)) == 0 &&
			memcmp(entry->order, s->order, sizeof(s->order)) == 0)
			return true;
	}
}

/* ---- the specification: one step of operation i; false: it cannot make one now ---- */

static bool finish(struct state *s, uint32_t i)
{
	s->progress[i] |= FINISHED;
	return true;
}

/* Whether op need not have seen what `other` does. */
static bool may_overlook(
	const struct wgl_history *h, const struct wgl_op *op, const struct wgl_op *other)
{
	return h->weak && other->resp >= op->inv;
}

static bool finds_full(const struct wgl_history *h, const struct state *s, const struct wgl_op *op)
{
	uint32_t length = s->length;
	bool closed = false;
	for (uint32_t i = 0; i < h->ops; i++) {
		const struct wgl_op *other = &h->op[i];
		bool overlooked = may_overlook(h, op, other);
		if (other->kind == WGL_CLOSE)
			closed |= s->progress[i] && !overlooked;
		else if (other->kind != WGL_PUSH && overlooked)
			length += s->progress[i] & TAKEN;
	}
	return !closed && length >= h->capacity;
}

static bool step_push(const struct wgl_history *h, struct state *s, uint32_t i)
{
	const struct wgl_op *op = &h->op[i];
	if (s->progress[i] == RESERVED) {
		s->published |= UINT32_C(1) << op->value;
		return finish(s, i);
	}
	if (op->answer == WGL_CLOSED)
		return s->closed && finish(s, i);
	if (op->answer == WGL_FULL)
		return finds_full(h, s, op) && finish(s, i);
	if (s->closed || s->length == h->capacity)
		return false;
	s->order[s->length++] = op->value;
	s->progress[i] = RESERVED;
	return true;
}

/* Whether the first n places hold what the pop says it got next, published. */
static bool front_is(const struct state *s, const uint8_t *got, uint32_t n)
{
	if (n > s->length || memcmp(s->order, got, n) != 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!(s->published >> s->order[i] & 1))
			return false;
	return true;
}

/* Whether at most n places at the front are jobs, as far as op can see. */
static bool ends_after(
	const struct wgl_history *h, const struct state *s, const struct wgl_op *op, uint32_t n)
{
	if (n >= s->length || !(s->published >> s->order[n] & 1))
		return true;
	for (uint32_t i = 0; h->weak && i < h->ops; i++)
		if (h->op[i].kind == WGL_PUSH && h->op[i].value == s->order[n])
			return may_overlook(h, op, &h->op[i]);
	return false;
}

static void take(struct state *s, uint32_t i, uint32_t n)
{
	s->length -= n;
	s->head += n;
	memmove(s->order, s->order + n, s->length);
	memset(s->order + s->length, PLACE_FREE, n);
	s->progress[i] = (uint8_t)((s->progress[i] & TAKEN) + n);
}

static bool step_pop(const struct wgl_history *h, struct state *s, uint32_t i)
{
	const struct wgl_op *op = &h->op[i];
	uint32_t taken = s->progress[i] & TAKEN, rest = op->count - taken;
	if (rest == 0)
		return ends_after(h, s, op, 0) && finish(s, i);
	if (!front_is(s, op->got + taken, s->progress[i] & LOOKED ? rest : 0))
		return false;
	if (s->progress[i] & LOOKED) {
		take(s, i, rest);
		return finish(s, i);
	}
	uint32_t to_end = h->segment_size - s->head % h->segment_size;
	uint32_t most = op->max - taken;
	bool whole = most <= to_end; /* this claim may bring all that is still wanted */
	if (!whole)
		most = to_end;
	if (rest < most) {
		if (!front_is(s, op->got + taken, rest) || !ends_after(h, s, op, rest))
			return false;
		s->progress[i] |= LOOKED;
		return true;
	}
	if (!front_is(s, op->got + taken, most))
		return false;
	take(s, i, most);
	if (op->kind == WGL_CLAIM)
		return rest == most && finish(s, i);
	return whole ? finish(s, i) : true;
}

static bool step(const struct wgl_history *h, struct state *s, uint32_t i)
{
	switch (h->op[i].kind) {
	case WGL_PUSH:
		return step_push(h, s, i);
	case WGL_CLOSE:
		s->closed = true;
		return finish(s, i);
	default:
		return step_pop(h, s, i);
	}
}

/* ---- the search ---- */

static enum wgl_verdict search(struct search *x, const struct state *s)
{
	const struct wgl_history *h = x->history;
	uint64_t first_resp = UINT64_MAX;
	bool all = true;
	for (uint32_t i = 0; i < h->ops; i++) {
		if (s->progress[i] & FINISHED)
			continue;
		all = false;
		if (h->op[i].resp < first_resp)
			first_resp = h->op[i].resp;
	}
	if (all)
		return WGL_ACCEPTED;
	if (reached(x->memo, s))
		return WGL_REJECTED;
	if (++x->steps > STEPS_MAX)
		return WGL_GAVE_UP;
	for (uint32_t i = 0; i < h->ops; i++) {
		/* What began after another's response waits until that one is finished. */
		if ((s->progress[i] & FINISHED) || h->op[i].inv > first_resp)
			continue;
		struct state next = *s;
		if (!step(h, &next, i))
			continue;
		enum wgl_verdict verdict = search(x, &next);
		if (verdict != WGL_REJECTED)
			return verdict;
	}
	return WGL_REJECTED;
}

enum wgl_verdict wgl_check(const struct wgl_history *history, struct wgl_memo *memo)
{
	struct search x = { .history = history, .memo = memo };
	struct state start = { .length = 0 };
	memset(start.order, PLACE_FREE, sizeof(start.order));
	memo->check++;
	memo->used = 0;
	return search(&x, &start);
}
