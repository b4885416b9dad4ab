/* SPDX-License-Identifier: MIT */
#include <wpool/topo.h>

#include <limits.h>

#include <wpool/error.h>

#include "topo/pin.h"
#include "topo/quota.h"

unsigned wp_usable_cpus(void)
{
	return wp__usable_cpus("");
}

int wp_pin_order(unsigned *cpus, size_t n)
{
	if (n == 0)
		return 0;
	if (!cpus || n > INT_MAX)
		return WP_EINVAL;
	int different = wp__pin_plan(cpus, n);
	if (different >= 0 || different == WP_ENOMEM)
		return different;
	/* What hwloc says beyond that is about the description of the machine that it was given. */
	return WP_EINVAL;
}
