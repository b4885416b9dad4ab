/* SPDX-License-Identifier: MIT */
/* src/topo/topo.h for the made-up machine of os_explore.c. Linked instead of src/topo/topo.c. */
#include "topo/topo.h"

int wp__topo_pin_order(const struct wp__cpu_set *allowed, unsigned *cpus, size_t n)
{
	size_t found = 0;
	struct wp__cpu_set all;
	if (!allowed) {
		wp__os_get_affinity(&all);
		allowed = &all;
	}
	for (unsigned cpu = 0; cpu < 64 && found < n; cpu++)
		if (wp__cpu_isset(allowed, cpu))
			cpus[found++] = cpu;
	return (int)found;
}
