/* SPDX-License-Identifier: MIT */
/* One location: coherence, atomicity, compare-and-swap, and waiting for a value. */
#include "litmus.h"

/* One program to a paragraph, one thread to a line. */
/* clang-format off */

/* ---- coherence: once seen, never older ---- */

LITMUS2(co_read_read,
	SET(x, 1, rlx),
	r[0] = GET(x, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(co_write_write,
	SET(x, 1, rlx); SET(x, 2, rlx),
	r[0] = GET(x, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 2, 11, 12, 22), LATE);

/* r0 * 10 + final x: reading 2 after writing 1 means that 2 is newer. */
LITMUS2(co_write_read,
	SET(x, 1, rlx); r[0] = GET(x, rlx),
	SET(x, 2, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(11, 12, 22), LATE);

LITMUS2(co_read_write,
	r[0] = GET(x, rlx); SET(x, 1, rlx),
	SET(x, 2, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(1, 2, 21), LATE);

/* A digit for each reader and each order: 1 before 2 (1, 10), or 2 before 1 (100, 1000). */
static unsigned orders_seen(void)
{
	unsigned seen = 0;
	seen += r[0] == 1 && r[1] == 2 ? 1 : 0;
	seen += r[2] == 1 && r[3] == 2 ? 10 : 0;
	seen += r[0] == 2 && r[1] == 1 ? 100 : 0;
	seen += r[2] == 2 && r[3] == 1 ? 1000 : 0;
	return seen;
}

/* Two readers agree on the order of two writers. */
LITMUS4(co_two_readers,
	SET(x, 1, rlx),
	SET(x, 2, rlx),
	r[0] = GET(x, rlx); r[1] = GET(x, rlx),
	r[2] = GET(x, rlx); r[3] = GET(x, rlx),
	orders_seen(), ALLOWED(0, 1, 10, 11, 100, 1000, 1100), LATE);

/* Coherence follows what was handed over: x = 2 is newer than the x = 1 it knows of. */
LITMUS3(co_handed_over,
	SET(x, 1, rlx); SET(y, 1, rel),
	if (GET(y, acq)) SET(x, 2, rlx),
	r[0] = GET(x, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 2, 11, 12, 22), LATE);

/* ---- read-modify-write ---- */

LITMUS2(add_is_atomic,
	r[0] = ADD(x, 1, rlx),
	r[1] = ADD(x, 1, rlx),
	r[0] * 100 + r[1] * 10 + FINAL(x), ALLOWED(12, 102), LATE);

LITMUS2(swap_is_atomic,
	r[0] = SWAP(x, 1, rlx),
	r[1] = SWAP(x, 2, rlx),
	r[0] * 100 + r[1] * 10 + FINAL(x), ALLOWED(12, 201), LATE);

static bool cas_strong(wp_atomic_u32 *at, uint32_t expected, uint32_t desired)
{
	return wp_cas_strong_rlx_u32(at, &expected, desired);
}

static bool cas_weak(wp_atomic_u32 *at, uint32_t expected, uint32_t desired)
{
	return wp_cas_weak_rlx_u32(at, &expected, desired);
}

LITMUS2(cas_only_one_wins,
	r[0] = cas_strong(&x, 0, 1),
	r[1] = cas_strong(&x, 0, 2),
	r[0] * 100 + r[1] * 10 + FINAL(x), ALLOWED(101, 12));

/* It may compare with an old value and fail although the newest would match. */
LITMUS2(cas_may_read_old,
	SET(y, 1, rlx); SET(x, 1, rlx),
	r[0] = GET(y, rlx); r[1] = cas_strong(&x, 1, 2),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

/* Not if it must know better. */
LITMUS2(cas_must_read_new,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, acq); r[1] = cas_strong(&x, 1, 2),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(cas_weak_may_fail,
	r[0] = cas_weak(&x, 0, 1),
	r[1] = GET(y, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(0, 11));

LITMUS2(cas_strong_does_not,
	r[0] = cas_strong(&x, 0, 1),
	r[1] = GET(y, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(11));

static void count_by_cas(void)
{
	uint32_t v = GET(x, rlx);
	while (!wp_cas_weak_rlx_u32(&x, &v, v + 1))
		;
}

LITMUS2(cas_loop_counts,
	count_by_cas(),
	count_by_cas(),
	FINAL(x), ALLOWED(2));

/* ---- waiting for a value comes to an end ---- */

LITMUS2(wait_with_hint,
	SET(x, 1, rlx),
	while (!GET(x, rlx)) wp_spin_hint(); r[0] = 1,
	r[0], ALLOWED(1));

/* Without a hint, too: an old value is read only so many times in a row. */
LITMUS2(wait_without_hint,
	SET(x, 1, rlx),
	while (!GET(x, rlx)); r[0] = 1,
	r[0], ALLOWED(1), .steps = 200);

LITMUS2(wait_then_read_data,
	d = 1; SET(x, 1, rel),
	while (!GET(x, acq)) wp_spin_hint(); r[0] = d,
	r[0], ALLOWED(1));

/* Every value of a choice is tried. */
LITMUS2(choose_tries_all,
	r[0] = explore_choose(3),
	r[1] = explore_choose(2),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11, 20, 21));
