/* SPDX-License-Identifier: MIT */
#include "long.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

/* What is known of each value, and of each place. */
struct books {
	const struct long_history *h;
	uint64_t n;
	uint32_t *push_of; /* per value: which push brought it */
	uint32_t *pop_of;  /* per value: which pop got it */
	uint64_t *place;   /* per value */
	uint64_t *at;      /* per place: which value */
	uint64_t *given;   /* per place: the earliest moment at which it can have been given */
	uint64_t *taken;   /* per place: ... taken out */
	uint64_t *stays;   /* per place: the latest moment until which it can have been inside */
	struct long_verdict verdict;
};

const char *long_rule_name(enum long_rule rule)
{
	static const char *const names[] = { "accepted", "fresh", "repeat", "lost", "order",
		"place", "empty", "full", "room" };
	return names[rule];
}

/* ---- findings ---- */

__attribute__((format(printf, 3, 4))) static bool broken(
	struct books *b, enum long_rule rule, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	b->verdict.rule = rule;
	int n = snprintf(b->verdict.text, sizeof(b->verdict.text), "%s: ", long_rule_name(rule));
	vsnprintf(b->verdict.text + n, sizeof(b->verdict.text) - (size_t)n, format, args);
	va_end(args);
	return false;
}

static const struct long_push *push_of(const struct books *b, uint64_t value)
{
	return &b->h->pushes[b->push_of[value]];
}

static const struct long_pop *pop_of(const struct books *b, uint64_t value)
{
	return &b->h->pops[b->pop_of[value]];
}

/* "value 7: pushed by thread 1 [3, 4], popped by thread 2 [8, 9] as place 7" */
static const char *life(const struct books *b, uint64_t value, char *text, size_t size)
{
	const struct long_push *push = push_of(b, value);
	int n = snprintf(text, size,
		"value %" PRIu64 ": pushed by thread %u [%" PRIu64 ", %" PRIu64 "]", value,
		push->thread, push->inv, push->resp);
	if (b->pop_of[value] != NOBODY) {
		const struct long_pop *pop = pop_of(b, value);
		snprintf(text + n, size - (size_t)n,
			", popped by thread %u [%" PRIu64 ", %" PRIu64 "] as place %" PRIu64,
			pop->thread, pop->inv, pop->resp, b->place[value]);
	}
	return text;
}

static bool broken_by(struct books *b, enum long_rule rule, uint64_t x, uint64_t y)
{
	char first[160], second[160];
	return broken(b, rule, "%s; %s", life(b, x, first, sizeof(first)),
		life(b, y, second, sizeof(second)));
}

/* ---- fresh, repeat, lost ---- */

static bool enter_pushes(struct books *b)
{
	memset(b->push_of, 0xff, b->n * sizeof(*b->push_of));
	memset(b->pop_of, 0xff, b->n * sizeof(*b->pop_of));
	uint64_t pushed = 0;
	for (size_t i = 0; i < b->h->push_count; i++) {
		const struct long_push *push = &b->h->pushes[i];
		for (uint64_t v = push->value; v < push->value + push->count; v++, pushed++) {
			if (v >= b->n || b->push_of[v] != NOBODY)
				return broken(b, LONG_FRESH, "%" PRIu64 " was pushed twice", v);
			b->push_of[v] = (uint32_t)i;
		}
	}
	return pushed == b->n || broken(b, LONG_FRESH, "not every value was pushed");
}

static bool enter_pops(struct books *b)
{
	for (size_t i = 0; i < b->h->pop_count; i++) {
		const struct long_pop *pop = &b->h->pops[i];
		for (uint32_t k = 0; k < pop->count; k++) {
			uint64_t v = b->h->got[pop->first + k];
			if (v >= b->n || b->push_of[v] == NOBODY)
				return broken(b, LONG_FRESH,
					"thread %u [%" PRIu64 ", %" PRIu64 "] got %" PRIu64
					", which nobody pushed",
					pop->thread, pop->inv, pop->resp, v);
			if (b->pop_of[v] != NOBODY) {
				char text[160];
				return broken(b, LONG_REPEAT,
					"%s; and by thread %u [%" PRIu64 ", %" PRIu64 "]",
					life(b, v, text, sizeof(text)), pop->thread, pop->inv,
					pop->resp);
			}
			b->pop_of[v] = (uint32_t)i;
			b->place[v] = pop->place + k;
			if (pop->resp < push_of(b, v)->inv)
				return broken_by(b, LONG_FRESH, v, v);
		}
	}
	for (uint64_t v = 0; v < b->n; v++)
		if (b->pop_of[v] == NOBODY)
			return broken_by(b, LONG_LOST, v, v);
	return true;
}

/* ---- order ---- */

struct moment {
	uint64_t stamp;
	uint64_t value;
};

static int by_stamp(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

/*
 * Goes through the values by when their push began. Of all whose push had ended by then, the one
 * whose pop began last must not have begun after this one's pop had ended.
 */
static bool order_of_pushes(struct books *b, struct moment *begun, struct moment *ended)
{
	for (uint64_t v = 0; v < b->n; v++) {
		begun[v] = (struct moment){ push_of(b, v)->inv, v };
		ended[v] = (struct moment){ push_of(b, v)->resp, v };
	}
	qsort(begun, b->n, sizeof(*begun), by_stamp);
	qsort(ended, b->n, sizeof(*ended), by_stamp);
	uint64_t latest = 0, latest_inv = 0, done = 0;
	for (uint64_t i = 0; i < b->n; i++) {
		for (; ended[done].stamp < begun[i].stamp; done++) {
			uint64_t inv = pop_of(b, ended[done].value)->inv;
			if (inv >= latest_inv) {
				latest_inv = inv;
				latest = ended[done].value;
			}
		}
		if (done && pop_of(b, begun[i].value)->resp < latest_inv)
			return broken_by(b, LONG_ORDER, latest, begun[i].value);
	}
	return true;
}

/* The jobs of one push, and those of one pop. */
static bool order_within_calls(struct books *b)
{
	for (size_t i = 0; i < b->h->push_count; i++) {
		const struct long_push *push = &b->h->pushes[i];
		uint64_t latest = push->value;
		for (uint64_t v = push->value; v < push->value + push->count; v++) {
			if (pop_of(b, v)->resp < pop_of(b, latest)->inv)
				return broken_by(b, LONG_ORDER, latest, v);
			if (pop_of(b, v)->inv > pop_of(b, latest)->inv)
				latest = v;
		}
	}
	for (size_t i = 0; i < b->h->pop_count; i++) {
		const struct long_pop *pop = &b->h->pops[i];
		const uint64_t *got = &b->h->got[pop->first];
		for (uint32_t k = 0, latest = 0; k < pop->count; k++) {
			if (push_of(b, got[k])->resp < push_of(b, got[latest])->inv)
				return broken_by(b, LONG_ORDER, got[k], got[latest]);
			if (push_of(b, got[k])->inv > push_of(b, got[latest])->inv)
				latest = k;
		}
	}
	return true;
}

static bool check_order(struct books *b)
{
	struct moment *moments = calloc(2 * b->n + 1, sizeof(*moments));
	if (!moments)
		return broken(b, LONG_ORDER, "no memory");
	bool ok = order_within_calls(b) && order_of_pushes(b, moments, moments + b->n);
	free(moments);
	return ok;
}

/* ---- places ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool fill_places(struct books *b)
{
	memset(b->at, 0xff, b->n * sizeof(*b->at));
	for (uint64_t v = 0; v < b->n; v++) {
		uint64_t place = b->place[v];
		if (place >= b->n)
			return broken_by(b, LONG_PLACE, v, v);
		if (b->at[place] != UINT64_MAX)
			return broken_by(b, LONG_PLACE, b->at[place], v);
		b->at[place] = v;
		if (v && b->push_of[v] == b->push_of[v - 1] && b->place[v - 1] > place)
			return broken_by(b, LONG_PLACE, v - 1, v);
	}
	return true;
}

/* As early as possible, in the order of the places: too late for one is too late in any case. */
static bool check_places(struct books *b)
{
	if (!fill_places(b))
		return false;
	uint64_t given = 0, taken = 0, stays = UINT64_MAX;
	for (uint64_t p = 0; p < b->n; p++) {
		uint64_t v = b->at[p];
		given = later(given, push_of(b, v)->inv);
		taken = later(later(taken, given), pop_of(b, v)->inv);
		b->given[p] = given;
		b->taken[p] = taken;
		if (given > push_of(b, v)->resp || taken > pop_of(b, v)->resp)
			return broken_by(b, LONG_PLACE, b->at[p ? p - 1 : p], v);
	}
	for (uint64_t p = b->n; p-- > 0;) {
		stays = earlier(stays, pop_of(b, b->at[p])->resp);
		b->stays[p] = stays;
	}
	return true;
}

/* ---- answers: empty and full, room ---- */

/*
 * The periods during which an answer was right, by when they begin; until[i] becomes the latest end
 * of the first i + 1 of them.
 */
struct periods {
	uint64_t *from, *until;
	uint64_t count;
};

static void add_period(struct periods *p, uint64_t from, uint64_t until)
{
	if (from > until)
		return;
	if (p->count)
		until = later(until, p->until[p->count - 1]);
	p->from[p->count] = from;
	p->until[p->count++] = until;
}

/* Whether one of the periods and [inv, resp] have a moment in common. */
static bool was_right(const struct periods *p, uint64_t inv, uint64_t resp)
{
	uint64_t low = 0, high = p->count;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (p->from[middle] <= resp)
			low = middle + 1;
		else
			high = middle;
	}
	return low && p->until[low - 1] >= inv;
}

static bool check_empty(struct books *b, struct periods *p)
{
	for (uint64_t h = 0; h <= b->n; h++) {
		uint64_t until = UINT64_MAX;
		if (h < b->n)
			until = earlier(b->stays[h], push_of(b, b->at[h])->resp);
		add_period(p, h ? b->taken[h - 1] : 0, until);
	}
	for (size_t i = 0; i < b->h->pop_count; i++) {
		const struct long_pop *pop = &b->h->pops[i];
		if (pop->count == 0 && !was_right(p, pop->inv, pop->resp))
			return broken(b, LONG_EMPTY,
				"thread %u [%" PRIu64 ", %" PRIu64 "] got nothing", pop->thread,
				pop->inv, pop->resp);
	}
	return true;
}

static bool check_full(struct books *b, struct periods *p)
{
	uint64_t capacity = b->h->capacity;
	p->count = 0;
	for (uint64_t h = 0; h + capacity <= b->n; h++)
		add_period(p, b->given[h + capacity - 1], b->stays[h]);
	for (size_t i = 0; i < b->h->push_count; i++) {
		const struct long_push *push = &b->h->pushes[i];
		if (push->count == 0 && !was_right(p, push->inv, push->resp))
			return broken(b, LONG_FULL,
				"thread %u [%" PRIu64 ", %" PRIu64 "] found it full", push->thread,
				push->inv, push->resp);
	}
	for (uint64_t h = 0; h + capacity < b->n; h++)
		if (b->taken[h] > push_of(b, b->at[h + capacity])->resp)
			return broken_by(b, LONG_ROOM, b->at[h], b->at[h + capacity]);
	return true;
}

static bool check_answers(struct books *b)
{
	struct periods p = { .from = calloc(2 * (b->n + 1), sizeof(uint64_t)) };
	if (!p.from)
		return broken(b, LONG_EMPTY, "no memory");
	p.until = p.from + b->n + 1;
	bool ok = check_empty(b, &p) && check_full(b, &p);
	free(p.from);
	return ok;
}

/* ---- the whole ---- */

struct long_verdict long_check(const struct long_history *history)
{
	struct books b = { .h = history, .n = history->values };
	size_t n = history->values + 1;
	uint64_t *words = calloc(6 * n, sizeof(*words));
	if (!words) {
		broken(&b, LONG_FRESH, "no memory");
		return b.verdict;
	}
	b.place = words;
	b.at = words + n;
	b.given = words + 2 * n;
	b.taken = words + 3 * n;
	b.stays = words + 4 * n;
	b.push_of = (uint32_t *)(words + 5 * n);
	b.pop_of = b.push_of + n;
	if (enter_pushes(&b) && enter_pops(&b) && check_order(&b) && check_places(&b))
		check_answers(&b);
	free(words);
	return b.verdict;
}
