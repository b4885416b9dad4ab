/* SPDX-License-Identifier: MIT */
/* Limits for hangs, in loops that look again and again. */
#ifndef WP_TESTS_PATIENCE_H
#define WP_TESTS_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"

/* A machine may be slow and busy, and lets a thread that may run do so within this time. */
#define PATIENCE_NS      UINT64_C(30000000000)
/* More between two looks does not count: the process, or the machine, was stopped meanwhile. */
#define PATIENCE_LOOK_NS UINT64_C(100000000)

/* Zeroed before the first look. */
struct patience {
	uint64_t last_look, waited;
};

/* Called at each look: whether it has been going on for too long. */
static inline bool patience_ends(struct patience *p)
{
	uint64_t now = wp__os_now_ns(), since = p->last_look ? now - p->last_look : 0;
	p->waited += since < PATIENCE_LOOK_NS ? since : PATIENCE_LOOK_NS;
	p->last_look = now;
	return p->waited > PATIENCE_NS;
}

#endif
