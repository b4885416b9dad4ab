/* SPDX-License-Identifier: MIT */
/*
 * A worker's thread: from its start to its end, and its replacement.
 *
 * A job may end its thread (pthread_exit, cancellation). The guard averts that (engine/guard.h) and
 * notes it. When no job is left on its stack, the thread starts another one in its place and does
 * not touch the worker any more. The new thread waits for the end of the old one; then it is the
 * worker. Whatever the old one was in the middle of (a job, a batch, being active, being rescued)
 * is in struct wp__worker and goes on. To everybody else it looks like a thread that did not run
 * for a while. If no thread can be had, the old one goes on, until the next time.
 *
 *     threads of a worker = 1, or 2 while one waits for the other to end
 *     worker.ended is set by the last one, so worker.thread does not change any more
 *
 * The worker's fields belong to the old thread until it has created the new one, then to the new
 * one: creating and joining a thread order memory.
 */
#ifndef WP_ENGINE_THREAD_H
#define WP_ENGINE_THREAD_H

/* The thread's start function; arg is its struct wp__worker. */
void *wp__thread_main(void *arg);

#endif
