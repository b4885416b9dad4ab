/* SPDX-License-Identifier: MIT */
/*
 * Parts of the segmented queue that its two kinds of producers share: the arithmetic of positions,
 * the form of directory entries, and the way from a block to its segment. See segqueue.h.
 */
#ifndef WP_QUEUE_SEGQUEUE_PARTS_H
#define WP_QUEUE_SEGQUEUE_PARTS_H

#include "base/os.h"
#include "queue/segqueue.h"

/* How many times a waiting loop spins before it gives the processor away. */
#define WP__SPINS_BEFORE_YIELD WP_TUNED(128, 2)

/* ---- positions ---- */

static inline int64_t wp__span(uint64_t from, uint64_t to)
{
	return (int64_t)(to - from);
}

static inline uint64_t wp__block_of(const struct wp__segqueue *q, uint64_t position)
{
	return (uint64_t)(((wp_u128)position * q->block_factor) >> 64) >> q->block_shift;
}

static inline uint32_t wp__slot_of(const struct wp__segqueue *q, uint64_t position, uint64_t block)
{
	return (uint32_t)((position >> 2) - block * q->segment_size);
}

static inline wp_atomic_u64 *wp__entry_of(const struct wp__segqueue *q, uint64_t block)
{
	return &q->directory[block & q->directory_mask];
}

/* ---- directory entries: lap << 48 | offset in the pool | WP__MARK | WP__INSTALLED ---- */

#define WP__LAP_SHIFT 48
#define WP__INSTALLED UINT64_C(1)
#define WP__MARK      UINT64_C(2) /* the mark of this use of the segment */
#define WP__OFFSET    (((UINT64_C(1) << WP__LAP_SHIFT) - 1) & ~(WP__INSTALLED | WP__MARK))

_Static_assert(WP_ALONE > (WP__INSTALLED | WP__MARK), "segments begin at multiples of WP_ALONE");

static inline uint64_t wp__free_entry(const struct wp__segqueue *q, uint64_t block)
{
	return block >> q->directory_shift << WP__LAP_SHIFT;
}

static inline uint64_t wp__installed_entry(
	const struct wp__segqueue *q, uint64_t block, const struct wp__segment *segment)
{
	uint64_t offset = (uint64_t)((const char *)segment - q->pool.memory);
	uint64_t mark = wp__segment_mark(segment) ? WP__MARK : 0;
	return wp__free_entry(q, block) | offset | mark | WP__INSTALLED;
}

static inline bool wp__is_installed(const struct wp__segqueue *q, uint64_t entry, uint64_t block)
{
	return wp_likely(
		(entry & ~(WP__OFFSET | WP__MARK)) == (wp__free_entry(q, block) | WP__INSTALLED));
}

static inline struct wp__segment *wp__segment_in(const struct wp__segqueue *q, uint64_t entry)
{
	return (struct wp__segment *)(void *)(q->pool.memory + (entry & WP__OFFSET));
}

static inline uint8_t wp__mark_in(uint64_t entry)
{
	return (entry & WP__MARK) != 0;
}

static inline void wp__back_off(unsigned round)
{
	if (round < WP__SPINS_BEFORE_YIELD)
		wp_spin_hint();
	else
		wp__os_yield();
}

/*
 * The block has no segment yet: installs one for its first ticket's holder, or for anybody who has
 * waited a while, or waits until somebody else has. The entry.
 */
WP_COLD uint64_t wp__install_segment(struct wp__segqueue *q, uint64_t block, uint32_t slot);

/* The entry of the ticket's block, installed. */
static inline uint64_t wp__entry_for_write(struct wp__segqueue *q, uint64_t block, uint32_t slot)
{
	/* [D1] acq: the installed segment; pairs with [D2] */
	uint64_t e = wp_load_acq_u64(wp__entry_of(q, block));
	return wp_likely(wp__is_installed(q, e, block)) ? e : wp__install_segment(q, block, slot);
}

#endif
