/* SPDX-License-Identifier: MIT */
/*
 * Sizes: of a block (segment) in the same ring, of the ring and so of the memory that goes round
 * between the caches, of what a consumer copies at once, and of what a producer pushes at once.
 *
 * `copy_size` and `in_place` have the jobs per claim in the column k, `push_size` those per push.
 * In `in_place` jobs are used in their slots and the slots are given back afterwards: what a copy
 * costs, and what it would cost a user whose jobs run for long (his block stays closed).
 */
#include "run.h"

MICRO_VARIANT(block_size, "slots of a block, in the same ring of 8192", (MICRO_AS_IS),
	(.block = p->segment_size, .ring = 8192), .segment_size = "64,256,1024,4096");

#define RING(n)                                                                    \
	MICRO_VARIANT(ring_##n, "a ring of " #n " slots, 8 blocks", (MICRO_AS_IS), \
		(.block = n / 8, .ring = n), NO_LISTS)

RING(512);
RING(2048);
RING(8192);
RING(32768);
RING(131072);

MICRO_VARIANT(copy_size, "k jobs at most are copied out per claim", (MICRO_AS_IS),
	(.claim = p->batch), .batch = "16,64,256,1024");
MICRO_VARIANT(in_place, "k jobs at most per claim, used in their slots",
	(MICRO_AS_IS, .in_place = true), (.claim = p->batch), .batch = "16,64,256,1024");
MICRO_VARIANT(push_size, "k jobs per push, copied by memcpy: as wpool does", (MICRO_AS_IS),
	(.batch = p->batch), .batch = "1,2,4,8,16,64,256");
MICRO_VARIANT(push_words, "k jobs per push, copied word by word", (MICRO_AS_IS, .by_words = true),
	(.batch = p->batch), .batch = "2,4,8,16,64,256");
MICRO_VARIANT(push_ahead, "k jobs per push, lines of later ones fetched ahead",
	(MICRO_AS_IS, .many_ahead = true), (.batch = p->batch), .batch = "2,4,8,16,64,256");
