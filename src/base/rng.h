/* SPDX-License-Identifier: MIT */
/*
 * A small generator of pseudo-random numbers (splitmix64: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014). One per thread, seeded by its owner, never global, so
 * that a test can repeat a run.
 */
#ifndef WP_BASE_RNG_H
#define WP_BASE_RNG_H

#include <stdint.h>

#include "base/layout.h"

struct wp__rng {
	uint64_t state;
};

static inline uint64_t wp__rng_next(struct wp__rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 .. n-1; n is not 0. The bias is below n / 2^64. */
static inline uint64_t wp__rng_below(struct wp__rng *rng, uint64_t n)
{
	return (uint64_t)(((wp_u128)wp__rng_next(rng) * n) >> 64);
}

#endif
