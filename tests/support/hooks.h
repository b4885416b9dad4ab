/* SPDX-License-Identifier: MIT */
/*
 * The test side of src/base/hooks.h: faults at the doors to kernel and heap, disturbance at the
 * labelled points of the protocols, and the ticket that lanes start from.
 *
 * All functions may be called by any thread at any time; a setting made while the library runs in
 * other threads reaches them soon.
 */
#ifndef WP_TESTS_HOOKS_H
#define WP_TESTS_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hooks.h"

/* ---- faults ---- */

/* Stands for every site: "the third call that could fail, whichever it is". */
#define WP_FAULT_ANY WP_FAULT_SITES

/*
 * Lets the nth call (1: the next one) at `site` fail with errno number `error`; with `onwards`
 * also all calls after it. Each site, and WP_FAULT_ANY, holds one setting; a new one replaces it.
 */
void wp__fault_arm(enum wp_fault_site site, uint64_t nth, bool onwards, int error);

/* Ends all settings; the counts stay. */
void wp__fault_disarm(void);

/*
 * Calls at a site (or WP_FAULT_ANY: at all), and how many of them were made to fail, since the
 * start or the last reset.
 */
uint64_t wp__fault_calls(enum wp_fault_site site);
uint64_t wp__fault_failures(enum wp_fault_site site);
void wp__fault_reset_counts(void);

/* ---- points ---- */

/*
 * From now on each point yields with a chance of yield_per_1024 / 1024, and sleeps 1 to 100 us
 * with a chance of sleep_per_1024 / 1024. Each thread draws from a generator of its own that is
 * derived from the seed. (0, 0, 0) ends it. The environment's WP_TEST_CHAOS=seed begins a program
 * with wp__chaos(seed, 64, 8).
 */
void wp__chaos(uint64_t seed, unsigned yield_per_1024, unsigned sleep_per_1024);

/* Calls `hook` at every point, before the disturbance; NULL ends it. */
void wp__set_point_hook(void (*hook)(const char *label));

/*
 * How often a point was passed. Counted without an atomic read-modify-write, which would hide the
 * very mistakes that the points are there to show: of passes at the same time some may not be
 * counted, but a point that was passed never counts 0.
 */
uint64_t wp__point_hits(const char *label);
void wp__point_reset_hits(void);

/* ---- tickets ---- */

/*
 * New lanes start at this ticket: to cross 2^32 or come close to the end in a test of a second.
 * The environment's WP_TEST_FIRST_TICKET sets it for a whole program.
 */
void wp__set_first_ticket(uint64_t ticket);

#endif
