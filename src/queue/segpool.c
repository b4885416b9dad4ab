/* SPDX-License-Identifier: MIT */
#include "queue/segpool.h"

#include <errno.h>
#include <string.h>

#include <wpool/queue.h>

#include "base/hooks.h"
#include "base/os.h"
#include "queue/stamp.h"

#define INDEX_BITS 24
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

_Static_assert(WP_SEGMENTS_MAX < INDEX_MASK, "1 + index fits beside the tag");

int wp__segpool_init(struct wp__segpool *pool, uint32_t size, bool stamps, uint32_t reserved,
	uint32_t touch, uint32_t keep)
{
	memset(pool, 0, sizeof(*pool));
	wp__segment_shape_init(&pool->shape, size);
	if (stamps)
		wp__stamp_shape(&pool->shape);
	pool->reserved = reserved;
	pool->keep = keep;
	pool->memory = wp__os_reserve(reserved * pool->shape.bytes);
	if (!pool->memory)
		return -ENOMEM;
	for (uint32_t i = touch; i-- > 0;) {
		struct wp__segment *segment = wp__segpool_at(pool, i);
		memset(segment, 0, pool->shape.bytes);
		segment->index = i;
		wp__segpool_give(pool, segment);
	}
	wp_store_rlx_u32(&pool->touched, touch);
	return 0;
}

void wp__segpool_fini(struct wp__segpool *pool)
{
	if (pool->memory)
		wp__os_release(pool->memory, pool->reserved * pool->shape.bytes);
	pool->memory = NULL;
}

static struct wp__segment *take_untouched(struct wp__segpool *pool)
{
	uint32_t n = wp_load_rlx_u32(&pool->touched);
	while (n < pool->reserved) {
		/* Relaxed: nobody has written to the segment, there is nothing to take up. */
		if (wp_cas_weak_rlx_u32(&pool->touched, &n, n + 1)) {
			struct wp__segment *segment = wp__segpool_at(pool, n);
			segment->index = n;
			return segment;
		}
	}
	return NULL;
}

static struct wp__segment *pop(struct wp__segpool *pool, struct wp__segstack *stack)
{
	for (;;) {
		/* [F1] acq: the segment's renewal and its next_free; pairs with [F2] */
		uint64_t top = wp_load_acq_u64(&stack->top);
		if (!(top & INDEX_MASK))
			return NULL;
		struct wp__segment *first = wp__segpool_at(pool, (uint32_t)(top & INDEX_MASK) - 1);
		uint64_t next = wp_load_rlx_u32(&first->next_free);
		WP_POINT("F1");
		uint64_t tag = (top >> INDEX_BITS) + 1;
		/*
		 * Relaxed: a value of top never comes back, so success means that [F1] read the
		 * very value that is replaced here.
		 */
		if (wp_cas_weak_rlx_u64(&stack->top, &top, tag << INDEX_BITS | next)) {
			wp_sub_rlx_u32(&stack->count, 1);
			return first;
		}
	}
}

static void push(struct wp__segstack *stack, struct wp__segment *segment)
{
	uint64_t top = wp_load_rlx_u64(&stack->top);
	for (;;) {
		wp_store_rlx_u32(&segment->next_free, (uint32_t)(top & INDEX_MASK));
		WP_POINT("F2");
		/* [F2] rel: hands over the renewed segment and next_free; pairs with [F1] */
		uint64_t next = (top & ~INDEX_MASK) | (segment->index + 1);
		if (wp_cas_weak_rel_u64(&stack->top, &top, next))
			return;
	}
}

struct wp__segment *wp__segpool_take(struct wp__segpool *pool)
{
	struct wp__segment *segment = pop(pool, &pool->warm);
	if (!segment)
		segment = pop(pool, &pool->cold);
	return segment ? segment : take_untouched(pool);
}

void wp__segpool_give(struct wp__segpool *pool, struct wp__segment *segment)
{
	/* Counted first, so that the count is never below zero. */
	struct wp__segstack *stack = &pool->warm;
	if (wp_add_rlx_u32(&stack->count, 1) >= pool->keep) {
		wp_sub_rlx_u32(&stack->count, 1);
		stack = &pool->cold;
		wp_add_rlx_u32(&stack->count, 1);
		/* Should it fail, the pages stay: no harm. */
		(void)wp__os_discard((char *)segment + pool->shape.slots_offset,
			pool->shape.bytes - pool->shape.slots_offset);
	}
	push(stack, segment);
}

uint32_t wp__segpool_free(const struct wp__segpool *pool)
{
	return wp_load_rlx_u32(&pool->warm.count) + wp_load_rlx_u32(&pool->cold.count);
}

uint64_t wp__segpool_reused(const struct wp__segpool *pool)
{
	return (wp_load_rlx_u64(&pool->warm.top) >> INDEX_BITS) +
	       (wp_load_rlx_u64(&pool->cold.top) >> INDEX_BITS);
}
