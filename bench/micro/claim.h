/* SPDX-License-Identifier: MIT */
/* A consumer's way out of the lane; see lane.h. */
#ifndef BENCH_MICRO_CLAIM_H
#define BENCH_MICRO_CLAIM_H

#include <string.h>

#include <sched.h>

#include "lane.h"

/* ---- what is ready ---- */

/* Whether one slot is published. Acquire: so is its job. */
MICRO_INLINE bool micro_is_ready(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	if (kind.publish == PUBLISH_SLOT)
		return (atomic_load_explicit(
				(_Atomic uint64_t *)&micro_slot(lane, kind, ticket)->words[1],
				memory_order_acquire) ^
			       micro_tag(lane, ticket)) >>
			       MICRO_TAG_SHIFT ==
		       0;
	if (micro_by_bits(kind))
		return atomic_load_explicit(micro_word(lane, kind, ticket), memory_order_acquire) >>
			       ticket % MICRO_ROW &
		       1;
	return atomic_load_explicit(micro_mark(lane, kind, ticket), memory_order_acquire) ==
	       !(micro_lap(lane, ticket) & 1);
}

#if MICRO_EIGHT_AT_ONCE
/* Eight marks as a word that is zero in the bytes of published slots. */
MICRO_INLINE uint64_t micro_eight(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	uint64_t mark = !(micro_lap(lane, ticket) & 1);
	const void *at = micro_mark(lane, kind, ticket & ~UINT64_C(7));

	return __atomic_load_n((const uint64_t __attribute__((may_alias)) *)at, __ATOMIC_ACQUIRE) ^
	       mark * MICRO_EACH_BYTE;
}

/* The readiness word of the 64 slots around the ticket: bit i is slot i of the row. */
MICRO_INLINE uint64_t micro_fold(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	uint64_t row = ticket & ~UINT64_C(63), word = 0;

	/* The product gathers the low bits of eight bytes in the topmost one. */
	for (unsigned i = 0; i < 8; i++)
		word |= ((micro_eight(lane, kind, row + 8 * i) & MICRO_EACH_BYTE) *
					UINT64_C(0x0102040810204080) >>
				56)
			<< 8 * i;
	return ~word;
}
#endif

/* Ready slots from `ticket` on, without a gap, as far as one look goes: up to 64. */
MICRO_INLINE uint32_t micro_look(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket, uint32_t *most)
{
	unsigned at = ticket % MICRO_ROW;
	uint64_t word;

	*most = MICRO_ROW - at;
	if (micro_by_bits(kind)) {
		word = atomic_load_explicit(micro_word(lane, kind, ticket), memory_order_acquire);
#if MICRO_EIGHT_AT_ONCE
	} else if (kind.publish == PUBLISH_MARK_FOLDED) {
		word = micro_fold(lane, kind, ticket);
	} else if (kind.publish == PUBLISH_MARK && !kind.marks_apart) {
		uint64_t missing = micro_eight(lane, kind, ticket) >> 8 * (ticket % 8);

		*most = 8 - ticket % 8;
		return missing ? (uint32_t)__builtin_ctzll(missing) / 8 : *most;
#endif
	} else {
		*most = 1;
		return micro_is_ready(lane, kind, ticket);
	}
	word = ~(word >> at);
	return word ? (uint32_t)__builtin_ctzll(word) : MICRO_ROW;
}

MICRO_INLINE uint32_t micro_ready_run(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket, uint32_t max)
{
	uint32_t run = 0, most = 0, found;

	do {
		found = micro_look(lane, kind, ticket + run, &most);
		/* Zeros that a shift brought in count up to the row's end only. */
		run += found < most ? found : most;
	} while (found >= most && run < max);
	return run < max ? run : max;
}

/* ---- taking jobs out ---- */

/* `n` slots of one block are finished with; the last of them opens it for the next lap. */
MICRO_INLINE void micro_finish(
	struct micro_lane *lane, struct micro_kind kind, uint64_t ticket, uint32_t n)
{
	struct micro_block *block = micro_block_of(lane, ticket);
	uint32_t size = UINT32_C(1) << lane->block_shift;
	uint64_t first = ticket & ~(uint64_t)(size - 1);

	/* Acquire and release: all reads of the block come before its next lap. */
	if (atomic_fetch_add_explicit(&block->done, n, memory_order_acq_rel) + n != size)
		return;
	atomic_store_explicit(&block->done, 0, memory_order_relaxed);
	if (micro_by_bits(kind))
		for (uint32_t i = 0; i < size; i += MICRO_ROW)
			atomic_store_explicit(
				micro_word(lane, kind, first + i), 0, memory_order_relaxed);
	atomic_store_explicit(&block->open, micro_lap(lane, ticket) + 1, memory_order_release);
}

/* Copies n claimed jobs of one block out. */
MICRO_INLINE void micro_copy(struct micro_lane *lane, struct micro_kind kind, uint64_t ticket,
	uint32_t n, struct micro_job *out)
{
	if (kind.slots_apart || n == 1) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = *micro_slot(lane, kind, ticket + i);
	} else {
		memcpy(out, micro_slot(lane, kind, ticket), n * sizeof(*out));
	}
	if (kind.publish == PUBLISH_SLOT)
		for (uint32_t i = 0; i < n; i++)
			out[i].words[1] &= (UINT64_C(1) << MICRO_TAG_SHIFT) - 1;
}

/* Waits for one job that this consumer owns the ticket of; whether it had to wait. */
MICRO_INLINE bool micro_await(struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	unsigned spins = 0;

	while (!micro_is_open(lane, ticket) || !micro_is_ready(lane, kind, ticket))
		micro_back_off(lane, &spins);
	return spins != 0;
}

/* A claim: `count` jobs from `ticket` on, in one block. */
struct micro_claimed {
	uint64_t ticket;
	uint32_t count;
	bool at_block_end;
	bool over; /* nothing is left to claim, ever */
};

MICRO_INLINE struct micro_claimed micro_claim_cas(
	struct micro_lane *lane, struct micro_kind kind, uint32_t max)
{
	uint64_t block = UINT64_C(1) << lane->block_shift;
	uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

	for (;;) {
		uint64_t left = block - (head & (block - 1)), now;
		uint32_t run = 0;

		if (head >= lane->jobs)
			return (struct micro_claimed){ .over = true };
		if (micro_is_open(lane, head))
			run = micro_ready_run(lane, kind, head, max < left ? max : (uint32_t)left);
		if (run == 0) {
			now = atomic_load_explicit(&lane->head, memory_order_relaxed);
			if (now == head)
				return (struct micro_claimed){ .ticket = head };
			head = now;
			continue;
		}
		/* Relaxed: jobs come with the marks, blocks with `open`. */
		if (atomic_compare_exchange_strong_explicit(&lane->head, &head, head + run,
			    memory_order_relaxed, memory_order_relaxed))
			return (struct micro_claimed){
				.ticket = head, .count = run, .at_block_end = run == left
			};
	}
}

/*
 * Whether 64 tickets may be taken by fetch-add: the job of 64 tickets per consumer further on, and
 * 64 more, is there. If all consumers took 64 at a time, head would stay below tail. But where one
 * that was slow after this look meets another's compare-and-swap, which takes all that is ready,
 * head may pass tail: then he waits with tickets that no producer has yet, or ever. (A lane of
 * wpool could not do that; here the number of jobs is known.)
 */
MICRO_INLINE bool micro_is_deep(const struct micro_lane *lane, struct micro_kind kind)
{
	uint64_t probe = atomic_load_explicit(&lane->head, memory_order_relaxed) +
			 (lane->consumers + 1) * MICRO_ROW - 1;

	return probe < lane->jobs && micro_is_open(lane, probe) &&
	       micro_is_ready(lane, kind, probe);
}

#endif
