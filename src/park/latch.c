/* SPDX-License-Identifier: MIT */
#include "park/latch.h"

#include "base/hooks.h"
#include "base/os.h"

void wp__latch_set(struct wp__latch *latch)
{
	/* [L1] rel: what the waiter waits for; pairs with [L2]. The latch may be gone after it. */
	wp_store_rel_u32(&latch->set, 1);
	WP_POINT("L1");
	wp__os_futex_wake(&latch->set, UINT32_MAX);
}

bool wp__latch_is_set(const struct wp__latch *latch)
{
	/* [L2] acq: pairs with [L1] */
	return wp_load_acq_u32(&latch->set);
}

void wp__latch_wait(struct wp__latch *latch)
{
	while (!wp__latch_wait_until(latch, UINT64_MAX))
		;
}

bool wp__latch_wait_until(struct wp__latch *latch, uint64_t deadline)
{
	while (!wp__latch_is_set(latch))
		if (wp__os_futex_wait(&latch->set, 0, deadline))
			return wp__latch_is_set(latch);
	return true;
}
