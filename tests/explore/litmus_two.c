/* SPDX-License-Identifier: MIT */
/* Two threads, two locations: the classic shapes, each with and without what forbids it. */
#include "litmus.h"

/* One program to a paragraph, one thread to a line. */
/* clang-format off */

/* ---- store buffering: both threads may miss the other's store ---- */

LITMUS2(sb_relaxed,
	SET(x, 1, rlx); r[0] = GET(y, rlx),
	SET(y, 1, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(sb_release_acquire,
	SET(x, 1, rel); r[0] = GET(y, acq),
	SET(y, 1, rel); r[1] = GET(x, acq),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(sb_fences,
	SET(x, 1, rlx); SC; r[0] = GET(y, rlx),
	SET(y, 1, rlx); SC; r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(1, 10, 11));

LITMUS2(sb_one_fence,
	SET(x, 1, rlx); SC; r[0] = GET(y, rlx),
	SET(y, 1, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(sb_acq_rel_fences,
	SET(x, 1, rlx); FENCE(acq_rel); r[0] = GET(y, rlx),
	SET(y, 1, rlx); FENCE(acq_rel); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

/* A swap is no fence: it may still be seen late. */
LITMUS2(sb_stores_by_swap,
	SWAP(x, 1, ar); r[0] = GET(y, acq),
	SWAP(y, 1, ar); r[1] = GET(x, acq),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

/* Reading by a read-modify-write: enough on x86, not in C11. */
LITMUS2(sb_loads_by_add,
	SET(x, 1, rlx); r[0] = ADD(y, 0, ar),
	SET(y, 1, rlx); r[1] = ADD(x, 0, ar),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11), LATE);

/* Sequentially consistent accesses count as acquire and release here, so 0 is not excluded. */
LITMUS2(sb_seq_cst_accesses,
	atomic_store(&x.value, 1); r[0] = atomic_load(&y.value),
	atomic_store(&y.value, 1); r[1] = atomic_load(&x.value),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

/* ---- message passing: 10 is a flag without its data ---- */

LITMUS2(mp_relaxed,
	SET(x, 1, rlx); SET(y, 1, rlx),
	r[0] = GET(y, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(mp_release_acquire,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, acq); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(mp_release_only,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(mp_acquire_only,
	SET(x, 1, rlx); SET(y, 1, rlx),
	r[0] = GET(y, acq); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(mp_fences,
	SET(x, 1, rlx); FENCE(release); SET(y, 1, rlx),
	r[0] = GET(y, rlx); FENCE(acquire); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(mp_release_fence,
	SET(x, 1, rlx); FENCE(release); SET(y, 1, rlx),
	r[0] = GET(y, acq); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(mp_acquire_fence,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, rlx); FENCE(acquire); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(mp_fence_too_early,
	FENCE(release); SET(x, 1, rlx); SET(y, 1, rlx),
	r[0] = GET(y, acq); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

LITMUS2(mp_seq_cst_fences,
	SET(x, 1, rlx); SC; SET(y, 1, rlx),
	r[0] = GET(y, rlx); SC; r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(mp_by_add,
	SET(x, 1, rlx); ADD(y, 1, rel),
	r[0] = ADD(y, 0, acq); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

/* Plain data behind a flag; 5 is "the flag was not set". A race would be a failure. */
LITMUS2(mp_plain,
	d = 1; SET(y, 1, rel),
	r[0] = GET(y, acq); r[1] = r[0] ? d : 5,
	r[0] * 10 + r[1], ALLOWED(5, 11));

LITMUS2(mp_plain_fences,
	d = 1; FENCE(release); SET(y, 1, rlx),
	r[0] = GET(y, rlx); FENCE(acquire); r[1] = r[0] ? d : 5,
	r[0] * 10 + r[1], ALLOWED(5, 11));

/* ---- load buffering: C11 allows 11; the model does not have it (docs/verification.md) ---- */

LITMUS2(lb_relaxed,
	r[0] = GET(x, rlx); SET(y, 1, rlx),
	r[1] = GET(y, rlx); SET(x, 1, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10));

LITMUS2(lb_release_acquire,
	r[0] = GET(x, acq); SET(y, 1, rel),
	r[1] = GET(y, acq); SET(x, 1, rel),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10));

/* ---- S, R and 2+2W: outcomes about the order of stores; they need late stores ---- */

/* r0 * 10 + final x; 12 is: read the flag, and yet the first thread's x came last. */
LITMUS2(s_relaxed,
	SET(x, 2, rlx); SET(y, 1, rlx),
	r[0] = GET(y, rlx); SET(x, 1, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(1, 2, 11, 12), LATE);

LITMUS2(s_release_acquire,
	SET(x, 2, rlx); SET(y, 1, rel),
	r[0] = GET(y, acq); SET(x, 1, rlx),
	r[0] * 10 + FINAL(x), ALLOWED(1, 2, 11), LATE);

/* final y * 10 + r0; 20 is: y = 2 came last, and yet x = 1 was not seen. */
LITMUS2(r_relaxed,
	SET(x, 1, rlx); SET(y, 1, rlx),
	SET(y, 2, rlx); r[0] = GET(x, rlx),
	FINAL(y) * 10 + r[0], ALLOWED(10, 11, 20, 21), LATE);

LITMUS2(r_fences,
	SET(x, 1, rlx); SC; SET(y, 1, rlx),
	SET(y, 2, rlx); SC; r[0] = GET(x, rlx),
	FINAL(y) * 10 + r[0], ALLOWED(10, 11, 21), LATE);

/* final x * 10 + final y; 11 is: each thread's first store came last. */
LITMUS2(two_plus_two_w_relaxed,
	SET(x, 1, rlx); SET(y, 2, rlx),
	SET(y, 1, rlx); SET(x, 2, rlx),
	FINAL(x) * 10 + FINAL(y), ALLOWED(11, 12, 21, 22), LATE);

LITMUS2(two_plus_two_w_release,
	SET(x, 1, rel); SET(y, 2, rel),
	SET(y, 1, rel); SET(x, 2, rel),
	FINAL(x) * 10 + FINAL(y), ALLOWED(11, 12, 21, 22), LATE);

LITMUS2(two_plus_two_w_fences,
	SET(x, 1, rlx); SC; SET(y, 2, rlx),
	SET(y, 1, rlx); SC; SET(x, 2, rlx),
	FINAL(x) * 10 + FINAL(y), ALLOWED(12, 21, 22), LATE);

/* The same in execution order, which is the default: 11 is not found (a limit of the model). */
LITMUS2(two_plus_two_w_in_order,
	SET(x, 1, rlx); SET(y, 2, rlx),
	SET(y, 1, rlx); SET(x, 2, rlx),
	FINAL(x) * 10 + FINAL(y), ALLOWED(12, 21, 22));
