/* SPDX-License-Identifier: MIT */
/* A producer's way into the lane; see lane.h. */
#ifndef BENCH_MICRO_PUSH_H
#define BENCH_MICRO_PUSH_H

#include <string.h>

#include <sched.h>

#include "lane.h"

/* Fetches a line to be written, as wpool does: the compiler's builtin fetches a shared copy. */
MICRO_INLINE void micro_prefetch(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* n tickets; there may be no room for them yet. */
MICRO_INLINE uint64_t micro_take(struct micro_lane *lane, struct micro_kind kind, uint32_t n)
{
	unsigned spins = 0;
	uint64_t ticket;

	/* Relaxed throughout: a ticket carries no data. */
	if (kind.take == TAKE_FAA)
		return atomic_fetch_add_explicit(&lane->tail, n, memory_order_relaxed);
	ticket = atomic_load_explicit(&lane->tail, memory_order_relaxed);
	for (;;) {
		if (!micro_is_open(lane, ticket + n - 1)) {
			micro_back_off(lane, &spins);
			ticket = atomic_load_explicit(&lane->tail, memory_order_relaxed);
			continue;
		}
		if (atomic_compare_exchange_weak_explicit(&lane->tail, &ticket, ticket + n,
			    memory_order_relaxed, memory_order_relaxed))
			return ticket;
	}
}

/* Release, in each form: whoever sees the slot ready sees the job. */
MICRO_INLINE void micro_publish(
	struct micro_lane *lane, struct micro_kind kind, uint64_t ticket, struct micro_job job)
{
	struct micro_job *slot = micro_slot(lane, kind, ticket);
	uint64_t bit = UINT64_C(1) << (ticket % MICRO_ROW);

	if (kind.publish == PUBLISH_SLOT) {
		slot->words[0] = job.words[0];
		slot->words[2] = job.words[2];
		slot->words[3] = job.words[3];
	} else {
		*slot = job;
	}
	if (kind.prefetch != 0)
		micro_prefetch(slot + kind.prefetch);
	switch (kind.publish) {
	case PUBLISH_MARK:
	case PUBLISH_MARK_FOLDED:
		atomic_store_explicit(micro_mark(lane, kind, ticket),
			!(micro_lap(lane, ticket) & 1), memory_order_release);
		break;
	case PUBLISH_SLOT:
		atomic_store_explicit((_Atomic uint64_t *)&slot->words[1],
			job.words[1] | micro_tag(lane, ticket), memory_order_release);
		break;
	case PUBLISH_OR:
		atomic_fetch_or_explicit(micro_word(lane, kind, ticket), bit, memory_order_release);
		break;
	case PUBLISH_OR_USED:
		if (atomic_fetch_or_explicit(
			    micro_word(lane, kind, ticket), bit, memory_order_release) &
			bit)
			bench_die("a slot was published twice");
		break;
	case PUBLISH_ADD:
		if (atomic_fetch_add_explicit(
			    micro_word(lane, kind, ticket), bit, memory_order_release) &
			bit)
			bench_die("a slot was published twice");
		break;
	}
}

MICRO_INLINE void micro_wait_open(struct micro_lane *lane, uint64_t ticket)
{
	unsigned spins = 0;

	while (__builtin_expect(!micro_is_open(lane, ticket), 0))
		micro_back_off(lane, &spins);
}

/* The marks of n tickets of one block; eight at a time where they are aligned. */
MICRO_INLINE void micro_publish_marks(
	struct micro_lane *lane, struct micro_kind kind, uint64_t ticket, uint32_t n)
{
	uint8_t mark = !(micro_lap(lane, ticket) & 1);

	for (uint32_t i = 0; i < n;) {
		_Atomic uint8_t *at = micro_mark(lane, kind, ticket + i);

#if MICRO_EIGHT_AT_ONCE
		if ((uintptr_t)at % 8 == 0 && n - i >= 8) {
			__atomic_store_n((uint64_t __attribute__((may_alias)) *)at,
				mark * MICRO_EACH_BYTE, __ATOMIC_RELEASE);
			i += 8;
			continue;
		}
#endif
		atomic_store_explicit(at, mark, memory_order_release);
		i++;
	}
}

/*
 * Word by word: what was written a moment ago a word at a time is served from the store buffer,
 * while a wider load waits until that is empty.
 */
MICRO_INLINE void micro_copy_words(
	struct micro_job *slots, const struct micro_job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t a = jobs[i].words[0], b = jobs[i].words[1];
		uint64_t c = jobs[i].words[2], d = jobs[i].words[3];

		/* Keeps the compiler from joining the loads. */
		__asm__("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		slots[i] = (struct micro_job){ { a, b, c, d } };
	}
}

/* n jobs side by side, published by marks. */
MICRO_INLINE void micro_push_many(
	struct micro_lane *lane, struct micro_kind kind, const struct micro_job *jobs, uint32_t n)
{
	uint64_t ticket = micro_take(lane, kind, n);

	while (n != 0) {
		uint64_t block = UINT64_C(1) << lane->block_shift;
		uint64_t left = block - (ticket & (block - 1));
		uint32_t here = n < left ? n : (uint32_t)left;

		micro_wait_open(lane, ticket);
		if (kind.by_words)
			micro_copy_words(micro_slot(lane, kind, ticket), jobs, here);
		else
			memcpy(micro_slot(lane, kind, ticket), jobs, here * sizeof(*jobs));
		/* Of the next push, or of a while later where pushes are small. */
		for (uint32_t i = 0; kind.many_ahead && i < here; i += 2)
			micro_prefetch(micro_slot(lane, kind, ticket) + i +
				       (n > kind.prefetch ? n : kind.prefetch));
		micro_publish_marks(lane, kind, ticket, here);
		ticket += here;
		jobs += here;
		n -= here;
	}
}

MICRO_INLINE void micro_push(struct micro_lane *lane, struct micro_kind kind, uint64_t id)
{
	uint64_t ticket = micro_take(lane, kind, 1);

	micro_wait_open(lane, ticket);
	micro_publish(lane, kind, ticket, micro_job_of(id));
}

#endif
