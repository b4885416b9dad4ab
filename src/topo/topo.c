/* SPDX-License-Identifier: MIT */
#include "topo/topo.h"

#include <errno.h>
#include <hwloc.h>
#include <stdalign.h>

#include "base/alloc.h"
#include "base/hooks.h"

/* A CPU that may be used, and what decides when it is its turn. */
struct place {
	unsigned cpu;
	unsigned node;    /* the number of nodes for a CPU that is in none */
	unsigned sibling; /* how many usable CPUs of the same core come before it */
	int next;         /* the next place of the same node in this round; -1: none */
};

/*
 * Forbidden CPUs and nodes are included, so that a CPU whose own memory is forbidden still has its
 * node; the forbidden CPUs are left out later. Looking must not move the calling thread from CPU to
 * CPU, as hwloc may do otherwise.
 *
 * No type of object is filtered out, though only nodes, cores and CPUs matter here: a node takes
 * its CPUs from the group, package or cache that it hangs on, and without that it has all CPUs.
 */
static int configure(hwloc_topology_t topology)
{
	return hwloc_topology_set_flags(topology,
		HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
			HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS |
			HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS);
}

static int load(hwloc_topology_t *topology)
{
	int error = WP_FAULT(WP_FAULT_TOPOLOGY);
	if (error)
		return -error;
	int saved = errno;
	errno = 0;
	if (hwloc_topology_init(topology) < 0) {
		error = errno ? errno : ENOMEM;
	} else if (configure(*topology) < 0 || hwloc_topology_load(*topology) < 0) {
		error = errno ? errno : EINVAL;
		hwloc_topology_destroy(*topology);
	}
	errno = saved;
	return -error;
}

static unsigned count(hwloc_topology_t topology, hwloc_obj_type_t type)
{
	int n = hwloc_get_nbobjs_by_type(topology, type);
	return n > 0 ? (unsigned)n : 0;
}

/* The smallest node around a CPU, the first of several; `nodes` if there is none. */
static unsigned node_of(hwloc_topology_t topology, unsigned nodes, unsigned cpu)
{
	unsigned best = nodes;
	int best_weight = 0;
	for (unsigned i = 0; i < nodes; i++) {
		hwloc_obj_t node = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, i);
		if (!node || !node->cpuset || !hwloc_bitmap_isset(node->cpuset, cpu))
			continue;
		int weight = hwloc_bitmap_weight(node->cpuset);
		if (best == nodes || weight < best_weight) {
			best = i;
			best_weight = weight;
		}
	}
	return best;
}

/* Fills places[] with the usable CPUs in hwloc's order; returns how many. */
static int collect(hwloc_topology_t topology, const struct wp__cpu_set *allowed, unsigned nodes,
	struct place *places)
{
	hwloc_const_cpuset_t permitted = hwloc_topology_get_allowed_cpuset(topology);
	hwloc_obj_t core_before = NULL, pu = NULL;
	int n = 0;
	while ((pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != NULL) {
		unsigned cpu = pu->os_index;
		/* Numbers beyond the size of a set are nothing that a thread can be bound to. */
		if (cpu >= WP__CPU_MAX || (allowed && !wp__cpu_isset(allowed, cpu)) ||
			(permitted && !hwloc_bitmap_isset(permitted, cpu)))
			continue;
		hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
		struct place *place = &places[n];
		place->cpu = cpu;
		place->node = node_of(topology, nodes, cpu);
		/* The CPUs of a core follow each other. Where cores are unknown each is one. */
		place->sibling = core && core == core_before ? places[n - 1].sibling + 1 : 0;
		core_before = core;
		n++;
	}
	return n;
}

/* Chains the places of one round by node; says whether there is a later round. */
static bool chain(struct place *places, int n, unsigned round, int *heads, unsigned nodes)
{
	bool later = false;
	for (unsigned node = 0; node <= nodes; node++)
		heads[node] = -1;
	for (int i = n - 1; i >= 0; i--) {
		later |= places[i].sibling > round;
		if (places[i].sibling != round)
			continue;
		places[i].next = heads[places[i].node];
		heads[places[i].node] = i;
	}
	return later;
}

/* Lets the nodes take turns, round by round, until `room` CPUs are out or none is left. */
static int deal(
	struct place *places, int n, int *heads, unsigned nodes, unsigned *cpus, size_t room)
{
	size_t out = 0;
	bool later = true;
	for (unsigned round = 0; later && out < room; round++) {
		later = chain(places, n, round, heads, nodes);
		bool dealt = true;
		while (dealt && out < room) {
			dealt = false;
			for (unsigned node = 0; node <= nodes && out < room; node++) {
				if (heads[node] < 0)
					continue;
				const struct place *place = &places[heads[node]];
				cpus[out++] = place->cpu;
				heads[node] = place->next;
				dealt = true;
			}
		}
	}
	return (int)out;
}

int wp__topo_pin_order(const struct wp__cpu_set *allowed, unsigned *cpus, size_t n)
{
	if (n == 0)
		return 0;
	hwloc_topology_t topology;
	int result = load(&topology);
	if (result < 0)
		return result;
	unsigned nodes = count(topology, HWLOC_OBJ_NUMANODE);
	size_t pus = count(topology, HWLOC_OBJ_PU);
	struct place *places = wp__alloc(alignof(max_align_t), (pus + 1) * sizeof(*places));
	int *heads = wp__alloc(alignof(max_align_t), (nodes + 1) * sizeof(*heads));
	if (places && heads) {
		int found = collect(topology, allowed, nodes, places);
		result = deal(places, found, heads, nodes, cpus, n);
	} else {
		result = -ENOMEM;
	}
	wp__free(heads);
	wp__free(places);
	int saved = errno;
	hwloc_topology_destroy(topology);
	errno = saved;
	return result;
}
