/* SPDX-License-Identifier: MIT */
/*
 * How tickets are taken at both ends, far from the edge and near it.
 *
 * Producers: "far" is a ring that is never full, "near" a ring of 128 slots, which always is:
 * there a fetch-add waits with its ticket, a compare-and-swap for room. Consumers: "far" is paced,
 * so that many jobs are there at each look, "near" looks again at once and finds one or two.
 */
#include "run.h"

MICRO_VARIANT(take_faa_far, "producers: fetch-add, ring never full: as wpool does",
	(MICRO_AS_IS, .take = TAKE_FAA), (.ring = 8192), NO_LISTS);
MICRO_VARIANT(take_cas_far, "producers: compare-and-swap, ring never full",
	(MICRO_AS_IS, .take = TAKE_CAS), (.ring = 8192), NO_LISTS);
MICRO_VARIANT(take_faa_near, "producers: fetch-add, ring of 128 always full",
	(MICRO_AS_IS, .take = TAKE_FAA), (.block = 64, .ring = 128), NO_LISTS);
MICRO_VARIANT(take_cas_near, "producers: compare-and-swap, ring of 128 always full",
	(MICRO_AS_IS, .take = TAKE_CAS), (.block = 64, .ring = 128), NO_LISTS);

MICRO_VARIANT(claim_cas_far, "consumers, paced: a run by compare-and-swap: as wpool does",
	(MICRO_AS_IS, .claim = CLAIM_CAS), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(claim_row_far, "consumers, paced: 64 by fetch-add where they are certain",
	(MICRO_AS_IS, .claim = CLAIM_FAA_ROW), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(claim_one_far, "consumers, paced: each job by a fetch-add of its own",
	(MICRO_AS_IS, .claim = CLAIM_FAA_ONE), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(claim_cas_near, "consumers that look at once: compare-and-swap",
	(MICRO_AS_IS, .claim = CLAIM_CAS, .eager = true), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(claim_row_near, "consumers that look at once: 64 by fetch-add, else one exchange",
	(MICRO_AS_IS, .claim = CLAIM_FAA_ROW, .eager = true), (MICRO_USUAL), NO_LISTS);
MICRO_VARIANT(claim_one_near, "consumers that look at once: fetch-add, wait with the ticket",
	(MICRO_AS_IS, .claim = CLAIM_FAA_ONE, .eager = true), (MICRO_USUAL), NO_LISTS);
