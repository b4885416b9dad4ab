/* SPDX-License-Identifier: MIT */
/*
 * Topology: in which order workers are put on CPUs. hwloc does the looking; what leaves this file
 * are plain arrays. Called by topo/pin.c and by whoever wants the order for itself; any thread.
 *
 * Order: first one CPU of every physical core, then the second hardware thread of every core that
 * has one, and so on; within each of these rounds the nodes take turns (first core of node 0,
 * first of node 1, ..., second core of node 0, ...). A node that has no core left in the round is
 * passed over, so no worker shares a core while another core is idle, however unequal the nodes.
 *
 * A CPU's node is the smallest one that contains it: where several memories lie behind the same
 * CPUs (fast and slow memory, memory common to all) they are one place, not several. Nodes without
 * CPUs take no turn; nodes without memory do. CPUs that are in no node at all form one more place.
 *
 * Reading the topology takes milliseconds, tens of them on large machines, and is done anew at each
 * call: nobody pays for it who does not pin, and there is no state that a fork or a changed cpuset
 * makes stale.
 */
#ifndef WP_TOPO_TOPO_H
#define WP_TOPO_TOPO_H

#include <stddef.h>

#include "base/os.h"

/*
 * Fills cpus[0 .. n-1] with operating-system CPU numbers in pin order and returns how many were
 * filled: min(n, CPUs that are both in the machine and in `allowed`), which may be 0. CPUs that are
 * offline or that the process's cpuset forbids count as not in the machine. Negative errno when the
 * topology cannot be loaded or memory is short. allowed may be NULL: every CPU of the topology.
 *
 * HWLOC_SYNTHETIC and HWLOC_XMLFILE are honoured by hwloc itself, which is how tests have other
 * machines. Neither errno nor the affinity of the calling thread changes.
 */
int wp__topo_pin_order(const struct wp__cpu_set *allowed, unsigned *cpus, size_t n);

#endif
