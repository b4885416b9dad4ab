/* SPDX-License-Identifier: MIT */
/*
 * GLib's GThreadPool.
 *
 * Manual: GLib reference, "Thread Pools": g_thread_pool_new with exclusive threads, which are
 * started at once and belong to this pool; g_thread_pool_push; g_thread_pool_free(pool, FALSE,
 * TRUE), which waits until all has been run and ends the threads. There is one function for a
 * pool, and the payload of a job must not be NULL. It has no bound and no bulk call.
 */
#include <glib.h>

#include "peer.h"

const char *const peer_library = "GLib " G_STRINGIFY(GLIB_MAJOR_VERSION) "." G_STRINGIFY(
	GLIB_MINOR_VERSION) "." G_STRINGIFY(GLIB_MICRO_VERSION) " GThreadPool";

static void run(gpointer payload, gpointer unused)
{
	(void)unused;
	peer_run_job(payload);
}

/* Freed by finish, which the manual knows no other way to wait by. */
static void *open_pool(const struct peer_case *c)
{
	GError *error = NULL;
	GThreadPool *pool = g_thread_pool_new(run, NULL, (gint)c->workers, TRUE, &error);

	peer_must(pool != NULL && error == NULL, "g_thread_pool_new failed");
	return pool;
}

static void submit(void *pool, const struct peer_case *c, struct peer_share share)
{
	(void)c;
	for (; share.id < share.end; share.id++)
		peer_must(g_thread_pool_push(pool, peer_payload(share.id), NULL),
			"g_thread_pool_push failed");
}

static void finish(void *pool)
{
	g_thread_pool_free(pool, FALSE, TRUE);
}

static void close_pool(void *pool)
{
	(void)pool;
}

static const struct peer_pool gthreadpool = {
	.name = "glib_pool",
	.about = "g_thread_pool_push to exclusive threads",
	.open = open_pool,
	.submit = submit,
	.finish = finish,
	.close = close_pool,
};

const struct peer_queue *const peer_queues[] = { NULL };
const struct peer_pool *const peer_pools[] = { &gthreadpool, NULL };
