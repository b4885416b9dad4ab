/* SPDX-License-Identifier: MIT */
#include "topo/pin.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "topo/topo.h"

bool wp__pin_wanted(bool option)
{
	const char *value = wp__os_getenv("WP_PIN_WORKERS");
	if (value && strcmp(value, "1") == 0)
		return true;
	if (value && strcmp(value, "0") == 0)
		return false;
	return option;
}

int wp__pin_plan(unsigned *cpus, size_t n)
{
	struct wp__cpu_set mask;
	/* With the mask unknown the topology still leaves out what the cpuset forbids. */
	const struct wp__cpu_set *allowed = wp__os_get_affinity(&mask) < 0 ? NULL : &mask;
	int found = wp__topo_pin_order(allowed, cpus, n);
	if (found <= 0)
		return found;
	for (size_t i = (size_t)found; i < n; i++)
		cpus[i] = cpus[i - (size_t)found];
	return found;
}

int wp__pin_self(unsigned cpu)
{
	if (cpu >= WP__CPU_MAX)
		return -EINVAL;
	struct wp__cpu_set only = { { 0 } };
	only.bits[cpu / 64] = UINT64_C(1) << (cpu % 64);
	return wp__os_set_affinity(&only);
}
