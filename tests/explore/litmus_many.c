/* SPDX-License-Identifier: MIT */
/* Three and four threads: what is handed on, and in which order stores are seen. */
#include "litmus.h"

/* One program to a paragraph, one thread to a line. */
/* clang-format off */

/* ---- write to read causality ---- */

LITMUS3(wrc_relaxed,
	SET(x, 1, rlx),
	r[0] = GET(x, rlx); SET(y, 1, rlx),
	r[1] = GET(y, rlx); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 110, 111));

LITMUS3(wrc_release_acquire,
	SET(x, 1, rlx),
	r[0] = GET(x, rlx); SET(y, 1, rel),
	r[1] = GET(y, acq); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 111));

/* The write in the middle is seen, but not taken up: 110 again. */
LITMUS3(wrc_no_acquire,
	SET(x, 1, rlx),
	r[0] = GET(x, rlx); SET(y, 1, rel),
	r[1] = GET(y, rlx); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 110, 111));

/* ---- a message passed on through a third thread ---- */

LITMUS3(isa2_release_acquire,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, acq); SET(z, 1, rel),
	r[1] = GET(z, acq); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 111));

LITMUS3(isa2_relaxed_in_the_middle,
	SET(x, 1, rlx); SET(y, 1, rel),
	r[0] = GET(y, rlx); SET(z, 1, rel),
	r[1] = GET(z, acq); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 110, 111));

/* ---- two readers of independent writes: 1010 is "in opposite orders" ---- */

LITMUS4(iriw_acquire,
	SET(x, 1, rel),
	SET(y, 1, rel),
	r[0] = GET(x, acq); r[1] = GET(y, acq),
	r[2] = GET(y, acq); r[3] = GET(x, acq),
	r[0] * 1000 + r[1] * 100 + r[2] * 10 + r[3],
	ALLOWED(0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1010, 1011, 1100, 1101, 1110, 1111));

LITMUS4(iriw_fences,
	SET(x, 1, rlx),
	SET(y, 1, rlx),
	r[0] = GET(x, rlx); SC; r[1] = GET(y, rlx),
	r[2] = GET(y, rlx); SC; r[3] = GET(x, rlx),
	r[0] * 1000 + r[1] * 100 + r[2] * 10 + r[3],
	ALLOWED(0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1011, 1100, 1101, 1110, 1111));

/* ---- read to write causality: 100 is forbidden by two fences ---- */

LITMUS3(rwc_fences,
	SET(x, 1, rlx),
	r[0] = GET(x, rlx); SC; r[1] = GET(y, rlx),
	SET(y, 1, rlx); SC; r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 101, 110, 111));

LITMUS3(rwc_one_fence,
	SET(x, 1, rlx),
	r[0] = GET(x, acq); r[1] = GET(y, acq),
	SET(y, 1, rlx); SC; r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 110, 111));

/* ---- Z6: final y * 100 + r0 * 10 + r1; 200 is forbidden by three fences ---- */

LITMUS3(z6_relaxed,
	SET(x, 1, rlx); SET(y, 1, rlx),
	SET(y, 2, rlx); r[0] = GET(z, rlx),
	SET(z, 1, rlx); r[1] = GET(x, rlx),
	FINAL(y) * 100 + r[0] * 10 + r[1], ALLOWED(100, 101, 110, 111, 200, 201, 210, 211), LATE);

LITMUS3(z6_fences,
	SET(x, 1, rlx); SC; SET(y, 1, rlx),
	SET(y, 2, rlx); SC; r[0] = GET(z, rlx),
	SET(z, 1, rlx); SC; r[1] = GET(x, rlx),
	FINAL(y) * 100 + r[0] * 10 + r[1], ALLOWED(100, 101, 110, 111, 201, 210, 211), LATE);

/* ---- store buffering round three threads ---- */

LITMUS3(sb3_relaxed,
	SET(x, 1, rlx); r[0] = GET(y, rlx),
	SET(y, 1, rlx); r[1] = GET(z, rlx),
	SET(z, 1, rlx); r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(0, 1, 10, 11, 100, 101, 110, 111));

LITMUS3(sb3_fences,
	SET(x, 1, rlx); SC; r[0] = GET(y, rlx),
	SET(y, 1, rlx); SC; r[1] = GET(z, rlx),
	SET(z, 1, rlx); SC; r[2] = GET(x, rlx),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(1, 10, 11, 100, 101, 110, 111));

/* ---- release sequences: y is behind x; 20 is "x was 2, and y was missed" ---- */

/* A read-modify-write of another thread, even a relaxed one, continues it. */
LITMUS3(release_sequence_rmw,
	SET(y, 1, rlx); SET(x, 1, rel),
	ADD(x, 1, rlx),
	r[0] = GET(x, acq); r[1] = GET(y, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11, 21));

/* A plain store of another thread ends it. */
LITMUS3(release_sequence_broken,
	SET(y, 1, rlx); SET(x, 1, rel),
	SET(x, 2, rlx),
	r[0] = GET(x, acq); r[1] = GET(y, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11, 20, 21));

/* So does one of the same thread (C++20; C11 still had it). */
LITMUS2(release_sequence_same_thread,
	SET(y, 1, rlx); SET(x, 1, rel); SET(x, 2, rlx),
	r[0] = GET(x, acq); r[1] = GET(y, rlx),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11, 20, 21));

/* A chain of acquire-release additions hands everything on: the last one knows of the others. */
LITMUS3(chain_of_adds,
	d = 1; ADD(x, 1, ar),
	r[0] = ADD(x, 1, ar),
	r[1] = ADD(x, 1, ar),
	r[0] * 10 + r[1], ALLOWED(1, 2, 10, 12, 20, 21));
