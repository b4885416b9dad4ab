/* SPDX-License-Identifier: MIT */
/*
 * Records the history of a real run for long.h: producers and consumers on threads of their own,
 * each with a log of its own, put together when they have ended.
 */
#ifndef WP_TESTS_LIN_RECORD_H
#define WP_TESTS_LIN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "long.h"

struct record_load {
	unsigned producers, consumers;
	size_t capacity;
	uint32_t segment_size;
	unsigned burst;  /* jobs in one push, and in one claim, at most */
	uint64_t values; /* of all producers together; rounded down to a multiple of them */
	bool clock;      /* stamps from the clock, not from a counter */
};

/* Runs the load; everything that was pushed has been claimed in the end. */
void record_run(const struct record_load *load, struct long_history *history);

/* Frees what record_run allocated. */
void record_free(struct long_history *history);

/* Whether a thread that hears from another never reads an earlier stamp from the clock. */
bool stamp_clock_works(void);

#endif
