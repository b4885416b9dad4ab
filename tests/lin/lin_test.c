/* SPDX-License-Identifier: MIT */
/*
 * Do the two checkers tell right from wrong? Histories made by hand, each violation by itself, and
 * histories of the real queue that are spoilt afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/queue.h>

#include "base/rng.h"
#include "crew.h"
#include "lane.h"
#include "record.h"
#include "report.h"
#include "wgl.h"

/* ---- small histories by hand: {thread, invocation, response} and what was called ---- */

#define PUSHED(t, i, r, v)                                                              \
	{                                                                               \
		.kind = WGL_PUSH, .thread = (t), .inv = (i), .resp = (r), .value = (v), \
		.answer = WGL_OK                                                        \
	}
#define FULL(t, i, r, v)                                                                \
	{                                                                               \
		.kind = WGL_PUSH, .thread = (t), .inv = (i), .resp = (r), .value = (v), \
		.answer = WGL_FULL                                                      \
	}
#define REFUSED(t, i, r, v)                                                             \
	{                                                                               \
		.kind = WGL_PUSH, .thread = (t), .inv = (i), .resp = (r), .value = (v), \
		.answer = WGL_CLOSED                                                    \
	}
#define CLOSED(t, i, r)                                                   \
	{                                                                 \
		.kind = WGL_CLOSE, .thread = (t), .inv = (i), .resp = (r) \
	}
#define CLAIMED(t, i, r, m, n, ...)                                                    \
	{                                                                              \
		.kind = WGL_CLAIM, .thread = (t), .inv = (i), .resp = (r), .max = (m), \
		.count = (n),                                                          \
		.got = { __VA_ARGS__ }                                                 \
	}
#define POPPED(t, i, r, m, n, ...)                                                                 \
	{                                                                                          \
		.kind = WGL_POP, .thread = (t), .inv = (i), .resp = (r), .max = (m), .count = (n), \
		.got = { __VA_ARGS__ }                                                             \
	}
#define OPS_MAX 8

struct small {
	const char *name;
	bool right;
	uint32_t capacity, segment_size;
	struct wgl_op op[OPS_MAX];
};

static const struct small smalls[] = {
	{ "one after the other", true, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), CLAIMED(1, 5, 6, 4, 2, 0, 1),
			CLAIMED(1, 7, 8, 4, 0, 0) } },
	{ "side by side, out of order", true, 4, 64,
		{ PUSHED(0, 1, 5, 0), PUSHED(1, 2, 6, 1), CLAIMED(2, 7, 8, 1, 1, 1),
			CLAIMED(2, 9, 10, 1, 1, 0) } },
	{ "popped before the push returned", true, 4, 64,
		{ PUSHED(0, 1, 9, 0), CLAIMED(1, 2, 3, 1, 1, 0) } },
	{ "nothing ready behind a hole", true, 4, 64,
		{ PUSHED(0, 1, 9, 0), PUSHED(1, 2, 3, 1), CLAIMED(2, 4, 5, 4, 0, 0),
			CLAIMED(2, 10, 11, 4, 2, 0, 1) } },
	{ "full of a hole", true, 1, 64,
		{ PUSHED(0, 1, 9, 0), FULL(1, 2, 3, 1), CLAIMED(2, 10, 11, 4, 1, 0) } },
	{ "a claim ends at a hole", true, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(1, 3, 9, 1), PUSHED(0, 4, 5, 2),
			CLAIMED(2, 6, 7, 4, 1, 0), CLAIMED(2, 10, 11, 4, 2, 1, 2) } },
	{ "a claim ends with its segment", true, 4, 2,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), PUSHED(0, 5, 6, 2),
			CLAIMED(1, 7, 8, 4, 2, 0, 1), CLAIMED(1, 9, 10, 4, 1, 2) } },
	{ "a pop of many goes on", true, 4, 2,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), PUSHED(0, 5, 6, 2),
			POPPED(1, 7, 8, 4, 3, 0, 1, 2) } },
	{ "room between the look and the take", true, 2, 64,
		{ PUSHED(0, 1, 2, 0), CLAIMED(1, 3, 9, 2, 1, 0), PUSHED(0, 4, 5, 1),
			FULL(2, 6, 7, 2), CLAIMED(1, 10, 11, 2, 1, 1) } },
	{ "refused while it was being closed", true, 4, 64,
		{ CLOSED(0, 1, 9), REFUSED(1, 2, 3, 0), REFUSED(1, 10, 11, 1) } },
	{ "accepted while it was being closed", true, 4, 64,
		{ CLOSED(0, 1, 9), PUSHED(1, 2, 3, 0), CLAIMED(1, 10, 11, 1, 1, 0) } },

	{ "came from nowhere", false, 4, 64, { PUSHED(0, 1, 2, 0), CLAIMED(1, 3, 4, 4, 2, 0, 7) } },
	{ "before it was pushed", false, 4, 64, { CLAIMED(1, 1, 2, 1, 1, 0), PUSHED(0, 3, 4, 0) } },
	{ "twice", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), CLAIMED(1, 3, 6, 1, 1, 0), CLAIMED(2, 4, 5, 1, 1, 0) } },
	{ "out of order", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), CLAIMED(1, 5, 6, 1, 1, 1),
			CLAIMED(1, 7, 8, 1, 1, 0) } },
	{ "out of order in one pop", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), CLAIMED(1, 5, 6, 2, 2, 1, 0) } },
	{ "lost", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), CLAIMED(1, 5, 6, 1, 1, 1),
			CLAIMED(1, 7, 8, 1, 0, 0) } },
	{ "nothing although ready", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), CLAIMED(1, 3, 4, 1, 0, 0), CLAIMED(1, 5, 6, 1, 1, 0) } },
	{ "nothing, and the hole is behind the front", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(1, 3, 9, 1), CLAIMED(2, 4, 5, 1, 0, 0),
			CLAIMED(2, 6, 7, 1, 1, 0) } },
	{ "full although not", false, 2, 64, { PUSHED(0, 1, 2, 0), FULL(1, 3, 4, 1) } },
	{ "full although room was made", false, 1, 64,
		{ PUSHED(0, 1, 2, 0), CLAIMED(1, 3, 4, 1, 1, 0), FULL(0, 5, 6, 1) } },
	{ "one too many", false, 1, 64, { PUSHED(0, 1, 2, 0), PUSHED(1, 3, 4, 1) } },
	{ "accepted after the close", false, 4, 64, { CLOSED(0, 1, 2), PUSHED(1, 3, 4, 0) } },
	{ "refused before the close", false, 4, 64, { REFUSED(1, 1, 2, 0), CLOSED(0, 3, 4) } },
	{ "full after the close", false, 1, 64,
		{ PUSHED(0, 1, 2, 0), CLOSED(0, 3, 4), FULL(1, 5, 6, 1) } },
	{ "too few for no reason", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), CLAIMED(1, 5, 6, 2, 1, 0) } },
	{ "over the end of the segment", false, 4, 2,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), PUSHED(0, 5, 6, 2),
			CLAIMED(1, 7, 8, 4, 3, 0, 1, 2) } },
	{ "a pop of many ends with a segment", false, 4, 2,
		{ PUSHED(0, 1, 2, 0), PUSHED(0, 3, 4, 1), PUSHED(0, 5, 6, 2),
			POPPED(1, 7, 8, 4, 2, 0, 1) } },
	{ "behind a hole", false, 4, 64,
		{ PUSHED(0, 1, 2, 0), PUSHED(1, 3, 20, 1), PUSHED(0, 4, 5, 2),
			CLAIMED(2, 6, 7, 1, 1, 0), CLAIMED(2, 8, 9, 1, 0, 0),
			CLAIMED(2, 10, 11, 1, 1, 2), CLAIMED(2, 12, 13, 1, 0, 0),
			CLAIMED(2, 14, 15, 1, 0, 0) } },
};

static struct wgl_memo *make_memo(void)
{
	enum { ENTRIES = 1 << 14 };
	struct wgl_memo *memo = calloc(1, sizeof(*memo));
	t_assert(memo != NULL);
	memo->size = ENTRIES;
	memo->entry = calloc(ENTRIES, sizeof(*memo->entry));
	t_assert(memo->entry != NULL);
	return memo;
}

static void free_memo(struct wgl_memo *memo)
{
	free(memo->entry);
	free(memo);
}

T_TEST(lin, small_by_hand)
{
	struct wgl_memo *memo = make_memo();
	for (size_t i = 0; i < sizeof(smalls) / sizeof(smalls[0]); i++) {
		const struct small *small = &smalls[i];
		struct wgl_history h = { small->capacity, small->segment_size, false, 0,
			{ { 0 } } };
		while (h.ops < OPS_MAX && small->op[h.ops].resp) {
			h.op[h.ops] = small->op[h.ops];
			h.ops++;
		}
		enum wgl_verdict verdict = wgl_check(&h, memo);
		if (verdict != (small->right ? WGL_ACCEPTED : WGL_REJECTED))
			wgl_print(stderr, &h);
		t_assert_msg(verdict == (small->right ? WGL_ACCEPTED : WGL_REJECTED), "\"%s\"",
			small->name);
	}
	free_memo(memo);
}

/* ---- small histories of the real queue, spoilt ---- */

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

/* One thread, random calls: every answer is determined, so whatever is changed is wrong. */
static void record_small(struct wgl_history *h, uint64_t seed)
{
	struct wp__rng rng = { seed };
	struct wp_job jobs[WGL_BATCH];
	*h = (struct wgl_history){ .capacity = 1 + (uint32_t)wp__rng_below(&rng, 4),
		.segment_size = 1 + (uint32_t)wp__rng_below(&rng, 3) };
	struct wp_queue *q = lane_create(h->capacity, h->segment_size);
	uint64_t now = 1;
	while (h->ops < 20) {
		struct wgl_op *op = &h->op[h->ops++];
		op->inv = now++;
		op->resp = now++;
		op->thread = (uint8_t)wp__rng_below(&rng, 3);
		if (wp__rng_below(&rng, 5) < 3) {
			op->kind = WGL_PUSH;
			op->value = (uint8_t)(h->ops - 1);
			struct wp_job job = { no_job, (void *)(uintptr_t)op->value, NULL, NULL };
			op->answer = wp_queue_try_push(q, &job) ? WGL_FULL : WGL_OK;
		} else {
			op->kind = WGL_POP;
			op->max = (uint8_t)(1 + wp__rng_below(&rng, 3));
			op->count = (uint8_t)wp_queue_pop_many(q, jobs, op->max);
			for (unsigned i = 0; i < op->count; i++)
				op->got[i] = (uint8_t)(uintptr_t)jobs[i].payload;
		}
	}
	wp_queue_destroy(q);
}

enum spoil { SWAP, DOUBLE, DROP, NOTHING, NOT_FULL, NOT_ACCEPTED, SPOILS };

static bool is_pop(const struct wgl_op *op)
{
	return op->kind == WGL_POP && op->count;
}

/* Whether there was something to spoil in that way. */
static bool spoil(struct wgl_history *h, enum spoil how)
{
	struct wgl_op *pops[2] = { NULL, NULL };
	for (uint32_t i = 0; i < h->ops; i++) {
		struct wgl_op *op = &h->op[i];
		if (how == NOT_FULL && op->kind == WGL_PUSH && op->answer == WGL_FULL) {
			op->answer = WGL_OK;
			return true;
		}
		if (how == NOT_ACCEPTED && op->kind == WGL_PUSH && op->answer == WGL_OK) {
			op->answer = WGL_FULL;
			return true;
		}
		if (is_pop(op)) {
			pops[0] = pops[1];
			pops[1] = op;
		}
	}
	if (how >= NOT_FULL || !pops[0])
		return false;
	uint8_t value = pops[0]->got[0];
	if (how == SWAP || how == DOUBLE)
		pops[0]->got[0] = pops[1]->got[0];
	if (how == SWAP)
		pops[1]->got[0] = value;
	if (how == DROP)
		memmove(pops[0]->got, pops[0]->got + 1, --pops[0]->count);
	if (how == NOTHING)
		pops[0]->count = 0;
	return true;
}

T_TEST(lin, small_spoilt)
{
	struct wgl_memo *memo = make_memo();
	unsigned spoilt[SPOILS] = { 0 };
	for (uint64_t seed = 1; seed <= t_scaled(2000); seed++) {
		struct wgl_history h;
		record_small(&h, seed);
		t_assert_int_eq(wgl_check(&h, memo), WGL_ACCEPTED);
		for (enum spoil how = SWAP; how < SPOILS; how++) {
			struct wgl_history bad = h;
			if (!spoil(&bad, how))
				continue;
			spoilt[how]++;
			if (wgl_check(&bad, memo) != WGL_REJECTED)
				wgl_print(stderr, &bad);
			t_assert_int_eq(wgl_check(&bad, memo), WGL_REJECTED);
			uint32_t ops = bad.ops;
			wgl_shrink(&bad, memo);
			t_assert(bad.ops <= ops);
			t_assert_int_eq(wgl_check(&bad, memo), WGL_REJECTED);
		}
	}
	for (enum spoil how = SWAP; how < SPOILS; how++)
		t_assert_msg(spoilt[how] > 10, "kind %d: %u", how, spoilt[how]);
	free_memo(memo);
}

/* What is printed: a history of which only the swapped pops matter shrinks to these. */
T_TEST(lin, small_shrunk)
{
	struct wgl_memo *memo = make_memo();
	struct wgl_history h = { 4, 64, false, 0, { { 0 } } };
	const struct wgl_op ops[] = { CLAIMED(2, 1, 2, 1, 0, 0), PUSHED(0, 3, 4, 0),
		PUSHED(0, 5, 6, 1), PUSHED(1, 7, 8, 2), CLAIMED(2, 9, 10, 1, 1, 0),
		CLAIMED(3, 11, 12, 1, 1, 2), CLAIMED(2, 13, 14, 1, 1, 1),
		CLAIMED(2, 15, 16, 1, 0, 0), CLOSED(1, 17, 18), REFUSED(1, 19, 20, 3) };
	h.ops = sizeof(ops) / sizeof(ops[0]);
	memcpy(h.op, ops, sizeof(ops));
	t_assert_int_eq(wgl_check(&h, memo), WGL_REJECTED);
	wgl_shrink(&h, memo);
	t_assert_u64_eq(h.ops, 3);
	wgl_print(stdout, &h);
	free_memo(memo);
}

/* ---- long histories by hand ---- */

struct long_case {
	const char *name;
	enum long_rule rule;
	uint64_t capacity;
	struct long_push push[4];
	struct long_pop pop[4];
	uint64_t got[4];
};

/* {inv, resp, value, count, thread} and {inv, resp, place, first, count, thread} */
static const struct long_case long_cases[] = {
	{ "one after the other", LONG_ACCEPTED, 2, { { 1, 2, 0, 2, 0 }, { 3, 4, 2, 0, 0 } },
		{ { 5, 6, 0, 0, 2, 1 }, { 7, 8, 0, 0, 0, 1 } }, { 0, 1 } },
	{ "out of order, side by side", LONG_ACCEPTED, 4, { { 1, 4, 0, 1, 0 }, { 2, 3, 1, 1, 1 } },
		{ { 5, 6, 0, 0, 1, 1 }, { 7, 8, 1, 1, 1, 1 } }, { 1, 0 } },
	{ "nothing behind a hole", LONG_ACCEPTED, 4, { { 1, 9, 0, 1, 0 }, { 2, 3, 1, 1, 1 } },
		{ { 4, 5, 0, 0, 0, 1 }, { 10, 11, 0, 0, 2, 1 } }, { 0, 1 } },
	{ "full of a hole", LONG_ACCEPTED, 1, { { 1, 9, 0, 1, 0 }, { 2, 3, 1, 0, 1 } },
		{ { 10, 11, 0, 0, 1, 1 } }, { 0 } },
	{ "pushed by nobody", LONG_FRESH, 4, { { 1, 2, 0, 1, 0 } }, { { 3, 4, 0, 0, 2, 1 } },
		{ 0, 7 } },
	{ "before it was pushed", LONG_FRESH, 4, { { 3, 4, 0, 1, 0 } }, { { 1, 2, 0, 0, 1, 1 } },
		{ 0 } },
	{ "twice", LONG_REPEAT, 4, { { 1, 2, 0, 1, 0 } },
		{ { 3, 6, 0, 0, 1, 1 }, { 4, 5, 1, 1, 1, 2 } }, { 0, 0 } },
	{ "lost", LONG_LOST, 4, { { 1, 2, 0, 2, 0 } }, { { 3, 6, 0, 0, 1, 1 } }, { 1 } },
	{ "out of order", LONG_ORDER, 4, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 1, 0 } },
		{ { 5, 6, 0, 0, 1, 1 }, { 7, 8, 1, 1, 1, 1 } }, { 1, 0 } },
	{ "out of order in one push", LONG_ORDER, 4, { { 1, 2, 0, 2, 0 } },
		{ { 5, 6, 0, 0, 1, 1 }, { 7, 8, 1, 1, 1, 1 } }, { 1, 0 } },
	{ "out of order in one pop", LONG_ORDER, 4, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 1, 0 } },
		{ { 5, 6, 0, 0, 2, 1 } }, { 1, 0 } },
	{ "a place left out", LONG_PLACE, 4, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 1, 0 } },
		{ { 5, 6, 0, 0, 1, 1 }, { 7, 8, 2, 1, 1, 1 } }, { 0, 1 } },
	{ "places against the order", LONG_PLACE, 4, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 1, 0 } },
		{ { 5, 8, 1, 0, 1, 1 }, { 6, 7, 0, 1, 1, 2 } }, { 0, 1 } },
	{ "nothing although ready", LONG_EMPTY, 4, { { 1, 2, 0, 1, 0 } },
		{ { 3, 4, 0, 0, 0, 1 }, { 5, 6, 0, 0, 1, 1 } }, { 0 } },
	{ "nothing, and the hole is behind the front", LONG_EMPTY, 4,
		{ { 1, 2, 0, 1, 0 }, { 3, 9, 1, 1, 1 } },
		{ { 4, 5, 0, 0, 0, 1 }, { 10, 11, 0, 0, 2, 1 } }, { 0, 1 } },
	{ "full although not", LONG_FULL, 2, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 0, 1 } },
		{ { 5, 6, 0, 0, 1, 1 } }, { 0 } },
	{ "full although room was made", LONG_FULL, 1, { { 1, 2, 0, 1, 0 }, { 5, 6, 1, 0, 1 } },
		{ { 3, 4, 0, 0, 1, 1 } }, { 0 } },
	{ "one too many", LONG_ROOM, 1, { { 1, 2, 0, 1, 0 }, { 3, 4, 1, 1, 1 } },
		{ { 5, 6, 0, 0, 2, 1 } }, { 0, 1 } },
};

T_TEST(lin, long_by_hand)
{
	for (size_t i = 0; i < sizeof(long_cases) / sizeof(long_cases[0]); i++) {
		struct long_case c = long_cases[i];
		struct long_history h = {
			.capacity = c.capacity, .pushes = c.push, .pops = c.pop, .got = c.got
		};
		for (; h.push_count < 4 && c.push[h.push_count].resp; h.push_count++)
			h.values += c.push[h.push_count].count;
		for (; h.pop_count < 4 && c.pop[h.pop_count].resp; h.pop_count++)
			h.got_count += c.pop[h.pop_count].count;
		struct long_verdict verdict = long_check(&h);
		t_assert_msg(verdict.rule == c.rule, "\"%s\": %s, not %s: %s", c.name,
			long_rule_name(verdict.rule), long_rule_name(c.rule), verdict.text);
	}
}

/* ---- long histories of the real queue, spoilt ---- */

static void expect(const struct long_history *h, enum long_rule rule)
{
	struct long_verdict verdict = long_check(h);
	t_assert_msg(verdict.rule == rule, "%s, not %s: %s", long_rule_name(verdict.rule),
		long_rule_name(rule), verdict.text);
}

/* An answer more than the queue gave; the arrays have room for one. */
static void spoil_answers(struct long_history *h)
{
	/* Place 0 is pushed by 10 and popped from 1000 on, place 1 pushed later. */
	h->pops[h->pop_count++] = (struct long_pop){ .inv = 20, .resp = 30 };
	expect(h, LONG_EMPTY);
	h->pops[h->pop_count - 1].inv = 8;
	expect(h, LONG_ACCEPTED);
	h->pop_count--;
	h->pushes[h->push_count++] = (struct long_push){ .inv = 20, .resp = 30 };
	expect(h, LONG_FULL);
	h->push_count--;
}

/* Makes room before the first place is popped, for answers that come too early. */
static void delay(struct long_history *h)
{
	for (size_t i = 0; i < h->push_count; i++) {
		bool first = h->pushes[i].count && h->pushes[i].value == h->got[0];
		h->pushes[i].inv = first ? 5 : h->pushes[i].inv + 1000;
		h->pushes[i].resp = first ? 10 : h->pushes[i].resp + 1000;
	}
	for (size_t i = 0; i < h->pop_count; i++) {
		/* What found nothing meanwhile would be wrong now. */
		h->pops[i].inv = h->pops[i].count ? h->pops[i].inv + 1000 : 0;
		h->pops[i].resp = h->pops[i].count ? h->pops[i].resp + 1000 : 1;
	}
}

/* All pops after all pushes, or back again. */
static void part(struct long_history *h, bool back)
{
	const uint64_t apart = UINT64_C(1) << 40;
	for (size_t i = 0; i < h->pop_count; i++) {
		h->pops[i].inv += back ? -apart : apart;
		h->pops[i].resp += back ? -apart : apart;
	}
}

static void spoil_values(struct long_history *h)
{
	size_t last = h->got_count - 1, middle = last / 2;
	uint64_t value = h->got[middle];
	part(h, false);
	h->got[middle] = h->got[last];
	expect(h, LONG_REPEAT);
	h->got[last] = value;
	expect(h, LONG_ORDER);
	h->got[last] = h->got[middle];
	h->got[middle] = h->values;
	expect(h, LONG_FRESH);
	h->got[middle] = value;
	part(h, true);
	expect(h, LONG_ACCEPTED);
}

/* A pop in the middle, which got one value, is changed and changed back. */
static void spoil_pops(struct long_history *h)
{
	struct long_pop *pop = &h->pops[0];
	while (pop->first != h->got_count / 2 || pop->count == 0)
		pop++;
	struct long_pop before = *pop;
	pop->count = 0;
	expect(h, LONG_LOST);
	*pop = before;
	pop->place++;
	expect(h, LONG_PLACE);
	*pop = before;
	pop->inv = pop->resp = 0;
	expect(h, LONG_FRESH);
	*pop = before;
	h->capacity /= 64;
	struct long_verdict verdict = long_check(h);
	t_assert(verdict.rule == LONG_ROOM || verdict.rule == LONG_FULL);
	h->capacity *= 64;
	expect(h, LONG_ACCEPTED);
}

T_TEST(lin, long_spoilt)
{
	struct record_load load = { 2, 1, 64, 8, 1, 20000, false };
	struct long_history h;
	record_run(&load, &h);
	expect(&h, LONG_ACCEPTED);
	spoil_values(&h);
	spoil_pops(&h);
	delay(&h);
	expect(&h, LONG_ACCEPTED);
	spoil_answers(&h);
	record_free(&h);
}
