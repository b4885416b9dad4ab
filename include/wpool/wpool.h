/* SPDX-License-Identifier: MIT */
/*
 * wpool: hands very many small jobs to a set of workers at a few nanoseconds each.
 *
 *     struct wp_pool *pool;
 *     wp_pool_create(&pool, NULL);
 *     wp_submit(pool, work, item);
 *     wp_pool_shutdown(pool, WP_FOREVER, NULL);
 *     wp_pool_destroy(pool);
 */
#ifndef WPOOL_WPOOL_H
#define WPOOL_WPOOL_H

#include <wpool/clock.h>
#include <wpool/ctx.h>
#include <wpool/error.h>
#include <wpool/export.h>
#include <wpool/job.h>
#include <wpool/metrics.h>
#include <wpool/pool.h>
#include <wpool/producer.h>
#include <wpool/queue.h>
#include <wpool/stats.h>
#include <wpool/submit.h>
#include <wpool/topo.h>
#include <wpool/version.h>

#endif
