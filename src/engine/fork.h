/* SPDX-License-Identifier: MIT */
/*
 * fork: the child of a process with pools has their memory, but none of their threads.
 *
 * All pools of the process are in a list. Around each fork (wp__os_at_fork) the list's mutex is
 * held, and the signal handlers' (base/trap.h), and the child, while it still has one thread, marks
 * every pool as forked:
 *
 *     lanes       closed: every submit takes the way of a refusal, and finds the mark there
 *     workers     the child may be the copy of one, inside a job that has called fork: its
 *                 `interrupt` says WP__FORKED. It starts no other job; when the job returns, the
 *                 thread ends, and with it the process
 *     mutex       made anew: who held it is not there any more. Nobody takes it, but to end it
 *
 * So neither a submit nor a job pays for it. Every other call looks at the mark first; none of them
 * waits, or takes a lock that a thread of the parent may have held. destroy frees the memory.
 *
 * What the copy is worth. Threads of the parent were anywhere when the memory was copied. So the
 * child uses nothing that they write but single words, with one exception: memory that threads
 * allocate while the pool lives is put in place under wp__fork_hold, so that the child finds the
 * old or the new one and can free it.
 *
 * RCU has a registry of threads that the child cannot mend; it does without (base/rcu.h), so that
 * it can have pools of its own.
 */
#ifndef WP_ENGINE_FORK_H
#define WP_ENGINE_FORK_H

#include <stdbool.h>

#include "engine/pool.h"
#include "engine/rescue.h"

/*
 * Puts a pool that is complete but for its threads and its signal handlers, of which this has to
 * come before, in the list. 0 or WP_ENOMEM.
 */
int wp__fork_enter(struct wp_pool *pool);

/* Takes it out, if it is there. */
void wp__fork_leave(struct wp_pool *pool);

/* Between these no fork happens. No user code may run, and no other lock be taken, in between. */
void wp__fork_hold(void);
void wp__fork_release(void);

/* This process is a child of the one that made the pool. */
static inline bool wp__is_forked(const struct wp_pool *pool)
{
	/* Relaxed: written before this process had a second thread. */
	return wp_load_rlx_u32(&pool->state) == WP_STATE_FORKED;
}

/* The calling thread is the copy of this worker in a child: nothing more is to be run. */
static inline bool wp__is_orphan(const struct wp__worker *w)
{
	return wp_load_rlx_u32(&w->interrupt) & WP__FORKED;
}

#endif
