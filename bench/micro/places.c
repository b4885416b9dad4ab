/* SPDX-License-Identifier: MIT */
/*
 * Where neighbouring tickets have their slots and marks, and how far ahead lines are fetched.
 *
 * Two jobs share a cache line. In the order of tickets it is written twice in a row, by one
 * producer or by two at the same time; permuted, neighbours write different lines and the
 * consumer's copy jumps. Marks: 64 share a line; apart, eight neighbours write eight lines, and the
 * consumer reads them one by one.
 */
#include "run.h"

MICRO_VARIANT(order_identity, "slots and marks in the order of tickets: as wpool does",
	(MICRO_AS_IS), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(order_slots, "neighbouring tickets' slots in different lines",
	(MICRO_AS_IS, .slots_apart = true), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(order_marks, "neighbouring tickets' marks in different lines",
	(MICRO_AS_IS, .marks_apart = true), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(order_both, "both", (MICRO_AS_IS, .slots_apart = true, .marks_apart = true),
	(MICRO_USUAL), NO_LISTS);

#define AHEAD(n)                                                                   \
	MICRO_VARIANT(prefetch_##n, "producers fetch the line " #n " slots ahead", \
		(.publish = PUBLISH_MARK, .prefetch = n), (MICRO_USUAL), NO_LISTS)

MICRO_VARIANT(prefetch_none, "producers fetch nothing ahead", (.publish = PUBLISH_MARK),
	(MICRO_USUAL), NO_LISTS);
AHEAD(2);
AHEAD(4);
AHEAD(8);
AHEAD(16);
AHEAD(32);
AHEAD(64);
