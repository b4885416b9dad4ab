/* SPDX-License-Identifier: MIT */
#include "queue/stamp.h"

#include <string.h>

#include "base/os.h"

void wp__stamp_shape(struct wp__segment_shape *shape)
{
	shape->stamp_row = (shape->size + WP__STAMP_EVERY - 1) / WP__STAMP_EVERY;
	shape->stamps_offset = wp_round_up(
		shape->slots_offset + (size_t)shape->size * sizeof(struct wp_job), WP_CACHE_LINE);
	size_t stamps = (size_t)shape->stamp_row * WP__STAMP_EVERY;
	shape->bytes =
		wp_round_up(shape->stamps_offset + stamps * sizeof(struct wp__stamp), WP_ALONE);
}

static struct wp__stamp *stamp_of(
	struct wp__segment *segment, const struct wp__segment_shape *shape, uint32_t slot)
{
	struct wp__stamp *stamps =
		(struct wp__stamp *)(void *)((char *)segment + shape->stamps_offset);
	return &stamps[slot % WP__STAMP_EVERY * shape->stamp_row + slot / WP__STAMP_EVERY];
}

WP_COLD void wp__stamp_jobs(struct wp__segment *segment, const struct wp__segment_shape *shape,
	uint32_t slot, uint64_t ticket, uint32_t n, uint32_t mask)
{
	uint64_t now = wp__os_ticks();
	for (uint32_t i = -slot & mask; i < n; i += mask + 1)
		*stamp_of(segment, shape, slot + i) =
			(struct wp__stamp){ .ticket = ticket + i + 1, .ticks = now };
}

WP_COLD void wp__stamp_read(struct wp__segment *segment, const struct wp__segment_shape *shape,
	uint32_t slot, uint64_t ticket, uint32_t n, uint32_t mask, uint64_t *out)
{
	memset(out, 0, n * sizeof(*out));
	for (uint32_t i = -slot & mask; i < n; i += mask + 1) {
		const struct wp__stamp *stamp = stamp_of(segment, shape, slot + i);
		/* Else it is of an earlier use of the slot. */
		if (stamp->ticket == ticket + i + 1)
			out[i] = stamp->ticks;
	}
}
