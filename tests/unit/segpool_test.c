/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "queue/segpool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "t.h"

#define ALL UINT32_MAX

static struct wp__segpool *make(uint32_t size, uint32_t reserved, uint32_t touch, uint32_t keep)
{
	struct wp__segpool *pool = wp__alloc(WP_ALONE, sizeof(*pool));
	t_assert(pool != NULL);
	t_assert_int_eq(wp__segpool_init(pool, size, false, reserved, touch, keep), 0);
	return pool;
}

static void drop(struct wp__segpool *pool)
{
	wp__segpool_fini(pool);
	wp__free(pool);
}

static uint32_t index_of(const struct wp__segpool *pool, const struct wp__segment *segment)
{
	size_t offset = (size_t)((const char *)segment - pool->memory);
	t_assert_u64_eq(offset % pool->shape.bytes, 0);
	t_assert(offset / pool->shape.bytes < pool->reserved);
	return (uint32_t)(offset / pool->shape.bytes);
}

static uint32_t take(struct wp__segpool *pool)
{
	struct wp__segment *segment = wp__segpool_take(pool);
	t_assert(segment != NULL);
	return index_of(pool, segment);
}

static void give(struct wp__segpool *pool, uint32_t index)
{
	wp__segpool_give(pool, wp__segpool_at(pool, index));
}

static uint32_t touched(const struct wp__segpool *pool)
{
	return wp_load_rlx_u32(&pool->touched);
}

T_TEST(segpool, last_in_is_first_out)
{
	struct wp__segpool *pool = make(3, 8, 0, ALL);
	uint32_t a = take(pool), b = take(pool), c = take(pool);
	t_assert(a != b && b != c && a != c);
	t_assert_u64_eq(touched(pool), 3);
	t_assert_u64_eq(wp__segpool_free(pool), 0);
	give(pool, b);
	give(pool, a);
	give(pool, c);
	t_assert_u64_eq(wp__segpool_free(pool), 3);
	t_assert_u64_eq(take(pool), c);
	t_assert_u64_eq(take(pool), a);
	t_assert_u64_eq(take(pool), b);
	t_assert_u64_eq(touched(pool), 3);
	t_assert_u64_eq(wp__segpool_reused(pool), 3);
	drop(pool);
}

T_TEST(segpool, a_new_one_is_touched_only_when_none_is_free)
{
	struct wp__segpool *pool = make(64, 100, 4, ALL);
	struct wp__rng rng = { 1 };
	uint32_t held[100], n = 0;
	bool mine[100] = { false };
	t_assert_u64_eq(touched(pool), 4);
	t_assert_u64_eq(wp__segpool_free(pool), 4);
	for (unsigned i = 0, most = 4; i < 100000; i++) {
		if (n < 60 && (n == 0 || wp__rng_below(&rng, 2))) {
			uint32_t index = take(pool);
			t_assert(!mine[index]);
			mine[index] = true;
			held[n++] = index;
			most = n > most ? n : most;
		} else {
			uint32_t which = (uint32_t)wp__rng_below(&rng, n), index = held[which];
			held[which] = held[--n];
			mine[index] = false;
			give(pool, index);
		}
		t_assert_u64_eq(touched(pool), most);
		t_assert_u64_eq(wp__segpool_free(pool), most - n);
	}
	drop(pool);
}

T_TEST(segpool, all_in_use_is_said)
{
	struct wp__segpool *pool = make(1, 3, 1, ALL);
	uint32_t a = take(pool), b = take(pool), c = take(pool);
	t_assert(a + b + c == 0 + 1 + 2);
	t_assert(wp__segpool_take(pool) == NULL);
	give(pool, b);
	t_assert_u64_eq(take(pool), b);
	t_assert(wp__segpool_take(pool) == NULL);
	drop(pool);
}

T_TEST(segpool, a_refused_reservation_is_an_error)
{
	struct wp__segpool *pool = wp__alloc(WP_ALONE, sizeof(*pool));
	wp__fault_arm(WP_FAULT_RESERVE, 1, false, ENOMEM);
	t_assert_int_eq(wp__segpool_init(pool, 64, false, 10, 2, ALL), -ENOMEM);
	wp__fault_disarm();
	wp__segpool_fini(pool);
	wp__free(pool);
}

/* ---- pages ---- */

static size_t resident_pages(const struct wp__segpool *pool, uint32_t index)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
	uintptr_t begin = (uintptr_t)wp__segpool_at(pool, index);
	uintptr_t end = (begin + pool->shape.bytes) & ~(uintptr_t)(page - 1);
	for (begin = wp_round_up(begin, page); begin < end; begin += page) {
		unsigned char in;
		t_assert_int_eq(mincore((void *)begin, page, &in), 0);
		n += in & 1;
	}
	return n;
}

static void fill(struct wp__segpool *pool, uint32_t index)
{
	memset(wp__segment_slots(wp__segpool_at(pool, index), &pool->shape), 0xa5,
		pool->shape.size * sizeof(struct wp_job));
}

T_TEST(segpool, free_segments_beyond_keep_give_their_pages_back)
{
	struct wp__segpool *pool = make(4096, 10, 0, 3); /* 128 KiB of slots each */
	uint32_t held[10];
	for (unsigned i = 0; i < 10; i++)
		fill(pool, held[i] = take(pool));
	t_assert(resident_pages(pool, held[0]) > 20);
	for (unsigned i = 0; i < 10; i++)
		give(pool, held[i]);
	t_assert_u64_eq(wp__segpool_free(pool), 10);
	unsigned kept = 0;
	for (unsigned i = 0; i < 10; i++)
		kept += resident_pages(pool, i) > 20;
	t_assert_u64_eq(kept, 3);
	/* Those with pages are used first, and going round with them costs no system call. */
	wp__fault_reset_counts();
	for (unsigned i = 0; i < 100; i++) {
		uint32_t a = take(pool), b = take(pool);
		t_assert(resident_pages(pool, a) > 20 && resident_pages(pool, b) > 20);
		give(pool, a);
		give(pool, b);
	}
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_DISCARD), 0);
	/* And the others still work, zero or not. */
	for (unsigned i = 0; i < 10; i++)
		fill(pool, held[i] = take(pool));
	t_assert_u64_eq(touched(pool), 10);
	drop(pool);
}

T_TEST(segpool, a_refused_discard_does_no_harm)
{
	struct wp__segpool *pool = make(1024, 4, 4, 1);
	wp__fault_arm(WP_FAULT_DISCARD, 1, true, EAGAIN);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t a = take(pool), b = take(pool), c = take(pool);
		give(pool, a);
		give(pool, b);
		give(pool, c);
	}
	t_assert(wp__fault_failures(WP_FAULT_DISCARD) > 0);
	wp__fault_disarm();
	t_assert_u64_eq(wp__segpool_free(pool), 4);
	t_assert_u64_eq(touched(pool), 4);
	drop(pool);
}

T_TEST(segpool, what_is_touched_at_creation_has_pages)
{
	struct wp__segpool *pool = make(4096, 10, 4, ALL);
	for (uint32_t i = 0; i < 10; i++)
		t_assert((resident_pages(pool, i) > 20) == (i < 4));
	drop(pool);
}

/* ---- several threads ---- */

static struct wp__segpool *shared;
static uint32_t first_free, second_free;

/* While a taker has read the top, A, and its next, B: A and B are taken and A comes back. */
static void swap_under_the_taker(const char *label)
{
	if (strcmp(label, "F1") != 0)
		return;
	wp__set_point_hook(NULL);
	first_free = take(shared);
	second_free = take(shared);
	give(shared, first_free);
}

T_TEST(segpool, a_top_that_came_back_is_not_mistaken)
{
	shared = make(1, 8, 3, ALL);
	wp__set_point_hook(swap_under_the_taker);
	uint32_t a = take(shared), b = take(shared);
	t_assert(a != second_free && b != second_free && a != b);
	t_assert_u64_eq(touched(shared), 3);
	t_assert_u64_eq(wp__segpool_free(shared), 0);
	give(shared, a);
	give(shared, b);
	give(shared, second_free);
	t_assert_u64_eq(wp__segpool_free(shared), 3);
	drop(shared);
}

/* The tag is what distinguishes; it may wrap. */
T_TEST(segpool, the_tag_wraps)
{
	struct wp__segpool *pool = make(1, 8, 3, ALL);
	uint64_t index = wp_load_rlx_u64(&pool->warm.top) & 0xffffff;
	wp_store_rlx_u64(&pool->warm.top, ~UINT64_C(0) << 25 | index);
	for (unsigned i = 0; i < 10; i++) {
		uint32_t a = take(pool), b = take(pool), c = take(pool);
		t_assert(a < 3 && b < 3 && c < 3 && a != b && b != c && a != c);
		give(pool, a);
		give(pool, c);
		give(pool, b);
	}
	t_assert_u64_eq(touched(pool), 3);
	drop(pool);
}

#define THREADS 8
static uint64_t rounds;

/* Whoever has a segment writes to it as if he were alone; ThreadSanitizer checks that he is. */
static void mark(uint32_t index, bool mine)
{
	struct wp_job *slot = wp__segment_slots(wp__segpool_at(shared, index), &shared->shape);
	t_assert_msg(!slot->payload == mine, "segment %u has two owners", index);
	slot->payload = mine ? slot : NULL;
}

static void take_and_give(void *arg, unsigned me)
{
	(void)arg;
	struct wp__rng rng = { me + 1 };
	uint32_t held[3], n = 0;
	for (uint64_t i = 0; i < rounds || n; i++) {
		if (i < rounds && n < 3 && (n == 0 || wp__rng_below(&rng, 2))) {
			struct wp__segment *segment = wp__segpool_take(shared);
			if (segment)
				mark(held[n++] = index_of(shared, segment), true);
			else
				wp__os_yield();
		} else {
			mark(held[--n], false);
			give(shared, held[n]);
		}
	}
}

static void all_at_once(uint32_t reserved, uint32_t touch, uint32_t keep, uint64_t n)
{
	struct crew crew;
	shared = make(128, reserved, touch, keep);
	rounds = t_scaled(n);
	crew_start(&crew, THREADS, take_and_give, NULL);
	crew_join(&crew);
	t_assert_u64_eq(wp__segpool_free(shared), touched(shared));
	bool seen[64] = { false };
	for (uint32_t i = touched(shared); i-- > 0;) {
		uint32_t index = take(shared);
		t_assert(!seen[index]);
		seen[index] = true;
	}
	t_assert_u64_eq(wp__segpool_free(shared), 0);
	drop(shared);
}

T_TEST(segpool, every_segment_has_one_owner)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		wp__chaos(seed, seed % 2 ? 8 : 128, seed % 2);
		all_at_once(3 * THREADS, 0, ALL, 30000);
		all_at_once(3 * THREADS, 5, 2, 30000);
		all_at_once(5, 5, ALL, 30000); /* too few for all */
	}
}
