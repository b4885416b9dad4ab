/* SPDX-License-Identifier: MIT */
#if defined(__SANITIZE_THREAD__)
#define WP_RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WP_RCU_TSAN 1
#endif
#endif

/* Inlined read sides; under ThreadSanitizer its plain accesses to liburcu's futex would be seen. */
#ifndef WP_RCU_TSAN
#define _LGPL_SOURCE
#endif
#include "base/rcu.h"

#include <urcu/urcu-memb.h>

#ifdef WP_RCU_TSAN
/* What a read side did happens before the grace period that waits for it; see rcu.h. */
static wp_atomic_u32 grace;
#define READ_SIDE_ENDS()    wp_add_rel_u32(&grace, 1)     /* [R1] rel: pairs with [R2] */
#define GRACE_PERIOD_ENDS() (void)wp_load_acq_u32(&grace) /* [R2] acq: pairs with [R1] */
#else
#define READ_SIDE_ENDS()    ((void)0)
#define GRACE_PERIOD_ENDS() ((void)0)
#endif

void wp__rcu_register(void)
{
	urcu_memb_register_thread();
}

void wp__rcu_unregister(void)
{
	urcu_memb_unregister_thread();
}

void wp__rcu_read_lock(void)
{
	urcu_memb_read_lock();
}

void wp__rcu_read_unlock(void)
{
	READ_SIDE_ENDS();
	urcu_memb_read_unlock();
}

void wp__rcu_synchronize(void)
{
	urcu_memb_synchronize_rcu();
	GRACE_PERIOD_ENDS();
}
