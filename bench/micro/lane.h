/* SPDX-License-Identifier: MIT */
/*
 * The lane that queue_micro takes apart: wpool's shared lane without what is not on the way of a
 * job (sleeping, closing, a free list), and with each decision on that way exchangeable.
 *
 *     tail     next ticket; producers                    head   next job to claim; consumers
 *     blocks   a run of slots each: `open` is the lap in which producers may write, `done` counts
 *              the slots that consumers are finished with
 *     ready    says which slots are published: marks (a byte each) or words (a bit each), or a tag
 *              in the slot itself
 *
 * The slots are a ring of blocks. Ticket t has slot t % ring and lap t / ring. A producer waits
 * until its block is open in its lap; the consumer that finishes a block's last slot opens it for
 * the next lap. `open` is written once per use of a block, as an entry of wpool's directory is.
 *
 * A variant (struct micro_kind) says how a ticket is taken, how a slot is published, how jobs are
 * claimed, in which order tickets use slots and marks, and how far ahead producers prefetch. It is
 * a constant where the functions of this header are inlined (see MICRO_VARIANT in run.h), so each
 * variant is compiled by itself, without a branch of another.
 *
 * Why a claim is right, whatever the variant: `open` and the marks are read before head is moved,
 * by compare-and-swap on a 64-bit count that never returns to a value. What was read may be out of
 * date only if head has moved since, and then the exchange fails. A consumer that adds to head
 * instead (CLAIM_FAA_*) owns the tickets that come back, and waits for each.
 *
 * Invariants.   head <= tail (CLAIM_CAS);  a block is opened for lap n + 1 when done == size
 *               published in lap n: mark == !(n & 1);  bit set;  tag == n + 1
 */
#ifndef BENCH_MICRO_LANE_H
#define BENCH_MICRO_LANE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../bench.h"

/* A job as wpool's: 32 bytes. words[0] is its id; the others follow from it. */
struct micro_job {
	uint64_t words[4];
};

enum micro_publish {
	PUBLISH_MARK,        /* store of a byte; eight are read at once: what wpool does */
	PUBLISH_MARK_FOLDED, /* the same; the consumer folds 64 of them into a 64-bit word */
	PUBLISH_SLOT,        /* a tag in the slot's own second word */
	PUBLISH_OR,          /* fetch-or of a bit, result unused: one instruction on x86 */
	PUBLISH_OR_USED,     /* fetch-or whose result is used: a loop on x86 */
	PUBLISH_ADD,         /* fetch-add of the bit, which is known to be clear, result used */
};

enum micro_take {
	TAKE_FAA, /* owns a ticket at once, and waits with it if there is no room */
	TAKE_CAS, /* takes a ticket only when there is room */
};

enum micro_claim {
	CLAIM_CAS,     /* a run of ready slots, by compare-and-swap */
	CLAIM_FAA_ONE, /* one ticket, by fetch-add; waits for its job */
	CLAIM_FAA_ROW, /* 64 tickets by fetch-add where so many are certain, else as CLAIM_CAS */
};

struct micro_kind {
	enum micro_publish publish;
	enum micro_take take;
	enum micro_claim claim;
	bool slots_apart;  /* neighbouring tickets' slots lie in different cache lines */
	bool marks_apart;  /* and so do their marks */
	bool words_apart;  /* each ready word has a line of its own */
	bool by_words;     /* pushes of several copy jobs word by word, as wpool's single ones do */
	bool many_ahead;   /* pushes of several jobs fetch the lines of those to come, too */
	bool in_place;     /* consumers use the jobs where they are, without a copy */
	bool eager;        /* consumers look again at once, instead of pausing while jobs flow */
	unsigned prefetch; /* slots ahead that producers fetch for writing; 0: none */
};

struct micro_block {
	alignas(BENCH_ALONE) _Atomic uint64_t open;
	alignas(BENCH_ALONE) _Atomic uint32_t done;
};

struct micro_lane {
	/* Set before the run, then only read. */
	struct micro_job *slots;
	_Atomic uint8_t *marks;
	_Atomic uint64_t *words;
	struct micro_block *blocks;
	unsigned block_shift;
	unsigned lap_shift;
	uint64_t ring_mask;
	uint64_t jobs; /* of the run */
	uint32_t claim_max;
	uint32_t batch; /* jobs per push */
	unsigned producers, consumers;
	bool crowded;
	alignas(BENCH_ALONE) _Atomic uint64_t tail;
	alignas(BENCH_ALONE) _Atomic uint64_t head;
};

#define MICRO_ROW         64 /* slots of one ready word, and jobs of a CLAIM_FAA_ROW */
#define MICRO_CLAIM_MAX   1024
#define MICRO_MARK_GROUP  512 /* slots whose marks are mixed by marks_apart */
#define MICRO_WORD_STRIDE (BENCH_ALONE / sizeof(uint64_t))
#define MICRO_EACH_BYTE   UINT64_C(0x0101010101010101)
#define MICRO_TAG_SHIFT   48

#define MICRO_INLINE static inline __attribute__((always_inline))

/*
 * ThreadSanitizer relates accesses by their address and size, so there marks are read one by one:
 * a byte's store and the load of eight bytes would look unrelated.
 */
#if defined(__SANITIZE_THREAD__)
#define MICRO_EIGHT_AT_ONCE 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MICRO_EIGHT_AT_ONCE 0
#endif
#endif
#ifndef MICRO_EIGHT_AT_ONCE
#define MICRO_EIGHT_AT_ONCE 1
#endif

/* ---- places ---- */

MICRO_INLINE struct micro_block *micro_block_of(const struct micro_lane *lane, uint64_t ticket)
{
	return &lane->blocks[(ticket & lane->ring_mask) >> lane->block_shift];
}

MICRO_INLINE uint64_t micro_lap(const struct micro_lane *lane, uint64_t ticket)
{
	return ticket >> lane->lap_shift;
}

/* Two jobs share a line: with slots_apart those of tickets that are 32 apart. */
MICRO_INLINE struct micro_job *micro_slot(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	uint64_t i = ticket & lane->ring_mask;

	if (kind.slots_apart)
		i = (i & ~UINT64_C(63)) | (i & 31) << 1 | (i >> 5 & 1);
	return &lane->slots[i];
}

/* With marks_apart eight neighbours have their marks in eight lines. */
MICRO_INLINE _Atomic uint8_t *micro_mark(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	uint64_t i = ticket & lane->ring_mask;

	if (kind.marks_apart)
		i = (i & ~UINT64_C(511)) | (i & 7) << 6 | (i >> 3 & 63);
	return &lane->marks[i];
}

MICRO_INLINE _Atomic uint64_t *micro_word(
	const struct micro_lane *lane, struct micro_kind kind, uint64_t ticket)
{
	uint64_t i = (ticket & lane->ring_mask) / MICRO_ROW;

	return &lane->words[kind.words_apart ? i * MICRO_WORD_STRIDE : i];
}

MICRO_INLINE bool micro_by_bits(struct micro_kind kind)
{
	return kind.publish == PUBLISH_OR || kind.publish == PUBLISH_OR_USED ||
	       kind.publish == PUBLISH_ADD;
}

MICRO_INLINE uint64_t micro_tag(const struct micro_lane *lane, uint64_t ticket)
{
	return (micro_lap(lane, ticket) + 1) << MICRO_TAG_SHIFT;
}

/* ---- jobs ---- */

MICRO_INLINE struct micro_job micro_job_of(uint64_t id)
{
	return (struct micro_job){ { id, id + 1, id ^ 0x5555, ~id } };
}

/* 0 for a job as it was made. */
MICRO_INLINE uint64_t micro_damage(const struct micro_job *job)
{
	uint64_t id = job->words[0];

	return (job->words[3] ^ ~id) | ((job->words[1] ^ (id + 1)) << 16);
}

/* ---- waiting ---- */

/* Before a processor is offered to others: only a busy or crowded machine gets there. */
#define MICRO_SPINS_MAX 4000

MICRO_INLINE void micro_back_off(const struct micro_lane *lane, unsigned *spins)
{
	bench_relax();
	if (++*spins % (lane->crowded ? 16 : MICRO_SPINS_MAX) == 0)
		sched_yield();
}

/* Acquire: what the consumers of the lap before read of the block, they had read. */
MICRO_INLINE bool micro_is_open(const struct micro_lane *lane, uint64_t ticket)
{
	return atomic_load_explicit(&micro_block_of(lane, ticket)->open, memory_order_acquire) ==
	       micro_lap(lane, ticket);
}

#endif
