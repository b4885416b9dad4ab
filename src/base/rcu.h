/* SPDX-License-Identifier: MIT */
/*
 * The only door to liburcu (memb flavour): readers mark a section, a writer publishes a new version
 * and waits until no reader can still hold the old one.
 *
 * Readers must be threads that called wp__rcu_register. A read side costs a few nanoseconds and
 * never waits; user code never runs inside one.
 *
 * liburcu 0.13 implements its atomics in inline assembly that ThreadSanitizer cannot see, so the
 * pointer itself is a C11 atomic here, and the grace period is announced to the sanitizer by an
 * acquire-release pair on it. None of these functions changes errno.
 */
#ifndef WP_BASE_RCU_H
#define WP_BASE_RCU_H

#include <stdbool.h>

#include "base/atomic.h"

void wp__rcu_register(void);
void wp__rcu_unregister(void);
void wp__rcu_read_lock(void);
void wp__rcu_read_unlock(void);

/*
 * In the child of a fork, while it has one thread: liburcu would wait for threads that are not
 * there. From here on a read side takes a mutex, and threads need not be registered.
 */
void wp__rcu_forked(void);

/*
 * Returns when every read side that began before the call has ended. Not from a read side. False:
 * that cannot be told, because the system has taken membarrier away (a filter on system calls);
 * liburcu would end the process. What the readers may hold has to stay then.
 */
bool wp__rcu_synchronize(void);

#endif
