/* SPDX-License-Identifier: MIT */
#include "queue/segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "t.h"

static const uint32_t sizes[] = { 1, 2, 3, 5, 63, 64, 65, 100, 127, 128, 129, 1000, 1024, 4096,
	65537, 1u << 20 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

T_TEST(segment, parts_lie_apart_and_aligned)
{
	for (size_t i = 0; i < SIZES; i++) {
		struct wp__segment_shape shape;
		wp__segment_shape_init(&shape, sizes[i]);
		t_assert_u64_eq(shape.size, sizes[i]);
		t_assert_u64_eq(shape.slots_offset % WP_CACHE_LINE, 0);
		t_assert(shape.slots_offset >= WP__MARKS_OFFSET + sizes[i]);
		t_assert(shape.bytes >= shape.slots_offset + sizes[i] * sizeof(struct wp_job));
		t_assert(shape.bytes <
			 shape.slots_offset + sizes[i] * sizeof(struct wp_job) + WP_ALONE);
		t_assert_u64_eq(shape.bytes % WP_ALONE, 0);
	}
}

struct fixture {
	struct wp__segment_shape shape;
	struct wp__segment *segment;
	uint8_t mark;             /* of the present use */
	unsigned char *published; /* what the marks should say */
};

static struct fixture make(uint32_t size)
{
	struct fixture f;
	wp__segment_shape_init(&f.shape, size);
	f.segment = wp__alloc(WP_ALONE, f.shape.bytes);
	f.published = calloc(size, 1);
	f.mark = 1;
	t_assert(f.segment && f.published);
	return f;
}

static void drop(struct fixture *f)
{
	wp__free(f->segment);
	free(f->published);
}

static uint32_t expected_run(const struct fixture *f, uint32_t slot, uint32_t max)
{
	uint32_t run = 0;
	while (run < max && f->published[slot + run])
		run++;
	return run;
}

static void compare_at(const struct fixture *f, uint32_t slot, uint32_t max)
{
	uint32_t got = wp__segment_ready_run(f->segment, f->mark, slot, max);
	t_assert_msg(got == expected_run(f, slot, max), "size %u slot %u max %u: run %u, not %u",
		f->shape.size, slot, max, got, expected_run(f, slot, max));
}

/* Publishes random gaps until all is published; compares the run with a slot-by-slot look. */
static void compare_with_bytes(uint32_t size, uint64_t seed)
{
	struct fixture f = make(size);
	struct wp__rng rng = { seed };
	uint32_t left = size;
	while (left) {
		uint32_t slot = (uint32_t)wp__rng_below(&rng, size), n = 0;
		uint32_t most = 1 + (uint32_t)wp__rng_below(&rng, wp__rng_below(&rng, 2) ? 3 : 200);
		if (f.published[slot]) /* every mark is set once */
			for (slot = 0; f.published[slot]; slot++)
				;
		while (n < most && slot + n < size && !f.published[slot + n])
			f.published[slot + n++] = 1;
		wp__segment_publish(f.segment, f.mark, slot, n);
		left -= n;
		for (int i = 0; i < 20; i++) {
			uint32_t from = (uint32_t)wp__rng_below(&rng, size);
			compare_at(&f, from, (uint32_t)wp__rng_below(&rng, size - from) + 1);
		}
		compare_at(&f, slot, n);
		compare_at(&f, slot, size - slot);
		compare_at(&f, 0, size);
	}
	t_assert_u64_eq(wp__segment_ready_run(f.segment, f.mark, 0, size), size);
	drop(&f);
}

T_TEST(segment, ready_run_is_what_was_published)
{
	for (size_t i = 0; i < SIZES && sizes[i] <= 4096; i++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			compare_with_bytes(sizes[i], seed);
}

T_TEST(segment, publish_touches_no_neighbour)
{
	for (uint32_t from = 0; from < 130; from++) {
		for (uint32_t n = 1; from + n <= 200; n++) {
			struct fixture f = make(200);
			wp__segment_publish(f.segment, f.mark, from, n);
			memset(f.published + from, 1, n);
			for (uint32_t slot = 0; slot < 200; slot++)
				compare_at(&f, slot, 1);
			drop(&f);
		}
	}
}

T_TEST(segment, nothing_is_ready_for_a_max_of_nothing)
{
	struct fixture f = make(64);
	wp__segment_publish(f.segment, f.mark, 0, 64);
	t_assert_u64_eq(wp__segment_ready_run(f.segment, f.mark, 0, 0), 0);
	t_assert_u64_eq(wp__segment_ready_run(f.segment, f.mark, 63, 1), 1);
	drop(&f);
}

T_TEST(segment, renew_makes_it_as_new)
{
	for (size_t i = 0; i < SIZES && sizes[i] <= 4096; i++) {
		struct fixture f = make(sizes[i]);
		/* The mark's meaning comes back with the third use. */
		for (int use = 0; use < 4; use++) {
			f.mark = wp__segment_mark(f.segment);
			t_assert_u64_eq(f.mark, use % 2 == 0);
			for (uint32_t slot = 0; slot < sizes[i]; slot++)
				compare_at(&f, slot, 1);
			wp__segment_publish(f.segment, f.mark, 0, sizes[i]);
			t_assert_u64_eq(
				wp__segment_ready_run(f.segment, f.mark, 0, sizes[i]), sizes[i]);
			wp_store_rlx_u32(&f.segment->done, sizes[i]);
			wp__segment_renew(f.segment);
			t_assert_u64_eq(wp_load_rlx_u32(&f.segment->done), 0);
		}
		drop(&f);
	}
}

T_TEST(segment, publishing_writes_no_slot)
{
	struct fixture f = make(65);
	struct wp_job *slots = wp__segment_slots(f.segment, &f.shape);
	memset(slots, 0x5a, 65 * sizeof(*slots));
	wp__segment_publish(f.segment, f.mark, 0, 65);
	for (size_t i = 0; i < 65 * sizeof(*slots); i++)
		t_assert_u64_eq(((unsigned char *)slots)[i], 0x5a);
	drop(&f);
}
