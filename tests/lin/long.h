/* SPDX-License-Identifier: MIT */
/*
 * Is a long history of a queue one that the queue may have? n log n in its length.
 *
 * Which orders of steps are possible need not be searched where every value is pushed once. A queue
 * is wrong exactly when one of a few patterns is in its history (T. A. Henzinger, A. Sezgin,
 * V. Vafeiadis, "Aspect-oriented linearizability proofs", 2013):
 *
 *   fresh    a value came out that was not pushed, or before its push began;
 *   repeat   a value came out twice;
 *   order    the push of a returned before that of b began, and b's pop returned before a's began,
 *            or a never came out. The jobs of one call are ordered, too;
 *   lost     (a history ends with the queue drained) a value never came out;
 *   empty    "nothing ready" although at every moment of the pop something was ready at the front.
 *
 * The rules fresh, repeat, order and lost look at nothing but values and stamps.
 *
 * The other rules also use the place in line that each claim reports. That they are the places
 *
 *   place    0, 1, 2, ... without a gap, each once; and pushes and pops can have happened one
 *            after the other in the order of the places, each within its interval;
 *
 * is checked; then they are the order in which the steps happened, and it is known what the front
 * of the queue was. The rules for the answers, as in wgl.h (a push takes its place and publishes
 * later, so holes are inside):
 *
 *   empty    at some moment within the pop, for some h: places below h had been taken out, that of
 *            h not, and h's push had not returned. (An h that was never pushed: empty.)
 *   full     at some moment within the push, for some h: place h + capacity - 1 had been given to a
 *            push and place h had not been taken out;
 *   room     a push of place h + capacity returned only after place h may have been taken out.
 *
 * Not covered: close; what a claim leaves behind although it was ready (wgl.h).
 */
#ifndef WP_TESTS_LIN_LONG_H
#define WP_TESTS_LIN_LONG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A push that was accepted: `count` neighbouring values, in order. count 0: refused, full. */
struct long_push {
	uint64_t inv, resp;
	uint64_t value;
	uint32_t count;
	uint32_t thread;
};

/* A claim: count values from values[first] on, with places from `place` on. count 0: nothing. */
struct long_pop {
	uint64_t inv, resp;
	uint64_t place;
	uint64_t first;
	uint32_t count;
	uint32_t thread;
};

struct long_history {
	uint64_t capacity;
	uint64_t values; /* how many different values were pushed: 0 .. values-1 */
	struct long_push *pushes;
	size_t push_count;
	struct long_pop *pops;
	size_t pop_count;
	uint64_t *got; /* what came out */
	size_t got_count;
};

enum long_rule {
	LONG_ACCEPTED,
	LONG_FRESH,
	LONG_REPEAT,
	LONG_LOST,
	LONG_ORDER,
	LONG_PLACE,
	LONG_EMPTY,
	LONG_FULL,
	LONG_ROOM,
};

struct long_verdict {
	enum long_rule rule;
	char text[400]; /* which rule, and the few operations that break it */
};

const char *long_rule_name(enum long_rule rule);

/* Checks the whole history; tells the first rule that is broken, in the order of enum long_rule. */
struct long_verdict long_check(const struct long_history *history);

#endif
