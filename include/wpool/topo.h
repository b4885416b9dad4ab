/* SPDX-License-Identifier: MIT */
/* The machine as wpool sees it. */
#ifndef WPOOL_TOPO_H
#define WPOOL_TOPO_H

#include <stddef.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

/*
 * The number of CPUs that this process may use: the CPUs in its affinity mask (that of the calling
 * thread, which a pinned thread has narrowed to one), or fewer where a cgroup (v1 or v2) limits its
 * CPU time; a quota of 1.5 CPUs counts as 2. At least 1. Read anew at each call. Any thread.
 */
WP_API unsigned wp_usable_cpus(void);

/*
 * The order in which workers are pinned, worker i to cpus[i]: fills cpus[0 .. n-1] with operating-
 * system CPU numbers and returns how many different ones there are among them, at most n; workers
 * beyond that wrap around. Physical cores come before their hardware siblings, and nodes take
 * turns. Only CPUs in the calling thread's affinity mask are used; if the topology has none of
 * them, the result is 0 and nothing is filled in. Takes milliseconds. Any thread.
 *
 * Negative: WP_EINVAL, cpus is NULL or n above INT_MAX, or the machine's topology cannot be read;
 * WP_ENOMEM.
 */
WP_API int wp_pin_order(unsigned *cpus, size_t n);

WP_END_DECLS

#endif
