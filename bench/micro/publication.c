/* SPDX-License-Identifier: MIT */
/*
 * How a slot is published, and how the consumer learns of it.
 *
 * A bit has to be set by a read-modify-write, which has to own the line with the word: the consumer
 * reads it, other producers write it. A mark is a byte of its own, written by a plain store that
 * waits in the store buffer; the consumer reads eight at once, or folds a row of 64 into one word.
 * A tag in the slot needs no line but the job's own; the consumer reads it slot by slot, and the
 * job loses 16 bits.
 */
#include "run.h"

MICRO_VARIANT(pub_mark, "a byte per slot, eight read at once: as wpool does", (MICRO_AS_IS),
	(MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_mark_folded, "the same, the consumer folds 64 marks into a word",
	(.publish = PUBLISH_MARK_FOLDED, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_slot_tag, "a tag of 16 bits in the slot itself",
	(.publish = PUBLISH_SLOT, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_bit_or, "a bit per slot by fetch-or, the result not used",
	(.publish = PUBLISH_OR, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_bit_or_used, "a bit per slot by fetch-or, the result used",
	(.publish = PUBLISH_OR_USED, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_bit_add, "a bit per slot by fetch-add of the clear bit, the result used",
	(.publish = PUBLISH_ADD, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(pub_bit_alone, "pub_bit_add with each word on lines of its own",
	(.publish = PUBLISH_ADD, .words_apart = true, .prefetch = 16), (MICRO_USUAL), NO_LISTS);
