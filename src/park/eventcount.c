/* SPDX-License-Identifier: MIT */
#include "park/eventcount.h"

#include "base/hooks.h"
#include "base/os.h"

uint32_t wp__ec_prepare(struct wp__eventcount *ec)
{
	wp_add_rlx_u32(&ec->waiters, 1);
	return wp__ec_again(ec);
}

uint32_t wp__ec_again(struct wp__eventcount *ec)
{
	/* [V1] acq: what was done before the notify whose epoch this is; pairs with [V3] */
	uint32_t key = wp_load_acq_u32(&ec->epoch);
	WP_POINT("V1");
	/* [V2] sc: counted before the look at the condition; pairs with [V4] */
	wp_fence_sc();
	return key;
}

int wp__ec_wait(struct wp__eventcount *ec, uint32_t key, uint64_t deadline)
{
	return wp__os_futex_wait(&ec->epoch, key, deadline);
}

void wp__ec_leave(struct wp__eventcount *ec)
{
	wp_sub_rlx_u32(&ec->waiters, 1);
}

void wp__ec_notify(struct wp__eventcount *ec)
{
	/* [V4] sc: the condition before the look at the count; pairs with [V2] */
	wp_fence_sc();
	WP_POINT("V4");
	if (wp_load_rlx_u32(&ec->waiters) == 0)
		return;
	/* [V3] rel: the condition; pairs with [V1] */
	wp_add_rel_u32(&ec->epoch, 1);
	wp__os_futex_wake(&ec->epoch, UINT32_MAX);
}
