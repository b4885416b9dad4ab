/* SPDX-License-Identifier: MIT */
#include "hooks.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/rng.h"

/* ---- faults ---- */

/* `left` counts down to the call that fails: 1 is this one, 0 means not armed. */
struct arm {
	wp_atomic_u64 left;
	wp_atomic_u32 onwards;
	wp_atomic_u32 error;
};

/* The last element of each is WP_FAULT_ANY. */
static struct arm arms[WP_FAULT_SITES + 1];
static wp_atomic_u64 calls[WP_FAULT_SITES + 1];
static wp_atomic_u64 failures[WP_FAULT_SITES + 1];

void wp__fault_arm(enum wp_fault_site site, uint64_t nth, bool onwards, int error)
{
	struct arm *arm = &arms[site];
	wp_store_rlx_u64(&arm->left, 0);
	wp_store_rlx_u32(&arm->onwards, onwards);
	wp_store_rlx_u32(&arm->error, (uint32_t)error);
	wp_store_rel_u64(&arm->left, nth); /* [T1] rel: the setting; pairs with [T2] */
}

void wp__fault_disarm(void)
{
	for (size_t i = 0; i <= WP_FAULT_SITES; i++)
		wp_store_rlx_u64(&arms[i].left, 0);
}

static int strike(struct arm *arm)
{
	uint64_t left = wp_load_acq_u64(&arm->left); /* [T2] acq: pairs with [T1] */
	do {
		if (left == 0)
			return 0;
		if (left == 1 && wp_load_rlx_u32(&arm->onwards))
			return (int)wp_load_rlx_u32(&arm->error);
	} while (!wp_cas_weak_rlx_u64(&arm->left, &left, left - 1));
	return left == 1 ? (int)wp_load_rlx_u32(&arm->error) : 0;
}

int wp__fault(enum wp_fault_site site)
{
	wp_add_rlx_u64(&calls[site], 1);
	int error = strike(&arms[site]);
	int any = strike(&arms[WP_FAULT_ANY]);
	if (!error)
		error = any;
	if (error)
		wp_add_rlx_u64(&failures[site], 1);
	return error;
}

static uint64_t count_of(const wp_atomic_u64 *counts, enum wp_fault_site site)
{
	if (site != WP_FAULT_ANY)
		return wp_load_rlx_u64(&counts[site]);
	uint64_t sum = 0;
	for (size_t i = 0; i < WP_FAULT_SITES; i++)
		sum += wp_load_rlx_u64(&counts[i]);
	return sum;
}

uint64_t wp__fault_calls(enum wp_fault_site site)
{
	return count_of(calls, site);
}

uint64_t wp__fault_failures(enum wp_fault_site site)
{
	return count_of(failures, site);
}

void wp__fault_reset_counts(void)
{
	for (size_t i = 0; i < WP_FAULT_SITES; i++) {
		wp_store_rlx_u64(&calls[i], 0);
		wp_store_rlx_u64(&failures[i], 0);
	}
}

/* ---- points ---- */

/*
 * Labels seen so far, by address: the same text in two files is two entries, and wp__point_hits
 * adds them up.
 */
#define POINTS 256
static struct {
	wp_atomic_ptr label;
	wp_atomic_u64 hits;
} points[POINTS];

static wp_atomic_u32 chaos_round; /* counts calls of wp__chaos: threads seed themselves anew */
static wp_atomic_u64 chaos_seed;
static wp_atomic_u32 chaos_yield, chaos_sleep;
static wp_atomic_u64 point_hook; /* a function's address */

static void count_hit(const char *label)
{
	void *mine = (void *)(uintptr_t)label;
	size_t at = (size_t)(((uintptr_t)label * UINT64_C(0x9e3779b97f4a7c15)) >> 56) % POINTS;
	for (size_t tries = 0; tries < POINTS; tries++, at = (at + 1) % POINTS) {
		void *found = wp_load_rlx_ptr(&points[at].label);
		if (!found && wp_cas_strong_rlx_ptr(&points[at].label, &found, mine))
			found = mine;
		if (found == mine) {
			uint64_t hits = wp_load_rlx_u64(&points[at].hits);
			wp_store_rlx_u64(&points[at].hits, hits + 1);
			return;
		}
	}
	abort(); /* more labels than POINTS */
}

static void disturb(unsigned yield_chance, unsigned sleep_chance)
{
	static wp_atomic_u64 threads;
	static _Thread_local struct wp__rng rng;
	static _Thread_local uint32_t round;

	uint32_t now = wp_load_rlx_u32(&chaos_round);
	if (round != now) {
		round = now;
		rng.state = wp_load_rlx_u64(&chaos_seed) + (wp_add_rlx_u64(&threads, 1) << 32);
	}
	uint64_t draw = wp__rng_below(&rng, 1024);
	if (draw < sleep_chance)
		wp__os_sleep(1000 + wp__rng_below(&rng, 99000));
	else if (draw - sleep_chance < yield_chance)
		wp__os_yield();
}

void wp__point(const char *label)
{
	count_hit(label);
	void (*hook)(const char *) =
		(void (*)(const char *))(uintptr_t)wp_load_acq_u64(&point_hook); /* [T4] acq */
	if (hook)
		hook(label);
	unsigned yield_chance = wp_load_rlx_u32(&chaos_yield);
	unsigned sleep_chance = wp_load_rlx_u32(&chaos_sleep);
	if (yield_chance | sleep_chance)
		disturb(yield_chance, sleep_chance);
}

void wp__chaos(uint64_t seed, unsigned yield_per_1024, unsigned sleep_per_1024)
{
	wp_store_rlx_u64(&chaos_seed, seed);
	wp_store_rlx_u32(&chaos_yield, yield_per_1024);
	wp_store_rlx_u32(&chaos_sleep, sleep_per_1024);
	wp_add_rlx_u32(&chaos_round, 1);
}

void wp__set_point_hook(void (*hook)(const char *label))
{
	/* [T3] rel: what the test prepared for the hook; pairs with [T4] */
	wp_store_rel_u64(&point_hook, (uint64_t)(uintptr_t)hook);
}

uint64_t wp__point_hits(const char *label)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < POINTS; i++) {
		const char *found = wp_load_rlx_ptr(&points[i].label);
		if (found && strcmp(found, label) == 0)
			sum += wp_load_rlx_u64(&points[i].hits);
	}
	return sum;
}

void wp__point_reset_hits(void)
{
	for (size_t i = 0; i < POINTS; i++)
		wp_store_rlx_u64(&points[i].hits, 0);
}

/* ---- tickets ---- */

static wp_atomic_u64 first_ticket;

uint64_t wp__first_ticket(void)
{
	return wp_load_rlx_u64(&first_ticket);
}

void wp__set_first_ticket(uint64_t ticket)
{
	wp_store_rlx_u64(&first_ticket, ticket);
}

__attribute__((constructor)) static void read_environment(void)
{
	const char *seed = getenv("WP_TEST_CHAOS");
	const char *ticket = getenv("WP_TEST_FIRST_TICKET");
	if (seed && *seed)
		wp__chaos(strtoull(seed, NULL, 0), 64, 8);
	if (ticket && *ticket)
		wp__set_first_ticket(strtoull(ticket, NULL, 0));
}
