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

#include <errno.h>
#include <urcu/urcu-memb.h>

#include "base/layout.h"
#include "base/os.h"

#ifdef WP_RCU_TSAN
/* What a read side did happens before the grace period that waits for it; see rcu.h. */
static wp_atomic_u32 grace;
#define READ_SIDE_ENDS()    wp_add_rel_u32(&grace, 1)     /* [R1] rel: pairs with [R2] */
#define GRACE_PERIOD_ENDS() (void)wp_load_acq_u32(&grace) /* [R2] acq: pairs with [R1] */
#else
#define READ_SIDE_ENDS()    ((void)0)
#define GRACE_PERIOD_ENDS() ((void)0)
#endif

/* Relaxed: written before this process had a second thread. */
static wp_atomic_u32 forked;
static struct wp__mutex instead = WP__MUTEX_INIT;

void wp__rcu_forked(void)
{
	/* Anew: a child may fork while its threads read. */
	wp__os_mutex_init(&instead);
	wp_store_rlx_u32(&forked, 1);
}

void wp__rcu_register(void)
{
	int saved = errno;
	if (!wp_load_rlx_u32(&forked))
		urcu_memb_register_thread();
	errno = saved;
}

void wp__rcu_unregister(void)
{
	int saved = errno;
	if (!wp_load_rlx_u32(&forked))
		urcu_memb_unregister_thread();
	errno = saved;
}

void wp__rcu_read_lock(void)
{
	if (wp_unlikely(wp_load_rlx_u32(&forked)))
		wp__os_mutex_lock(&instead);
	else
		urcu_memb_read_lock();
}

void wp__rcu_read_unlock(void)
{
	if (wp_unlikely(wp_load_rlx_u32(&forked))) {
		wp__os_mutex_unlock(&instead);
		return;
	}
	READ_SIDE_ENDS();
	urcu_memb_read_unlock();
}

bool wp__rcu_synchronize(void)
{
	if (wp_load_rlx_u32(&forked)) {
		wp__os_mutex_lock(&instead);
		wp__os_mutex_unlock(&instead);
		return true;
	}
	/* liburcu found out whether there is one when it was loaded. */
	if (wp__os_membarrier() != 0)
		return false;
	/* liburcu waits on a futex, and leaves what ended such a wait early in errno. */
	int saved = errno, before = wp__os_forbid_cancel(); /* it polls, with locks held */
	urcu_memb_synchronize_rcu();
	wp__os_allow_cancel(before);
	errno = saved;
	GRACE_PERIOD_ENDS();
	return true;
}
