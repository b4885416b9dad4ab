/* SPDX-License-Identifier: MIT */
#include <wpool/clock.h>

#include "base/os.h"

uint64_t wp_now_ns(void)
{
	return wp__os_now_ns();
}

uint64_t wp_after_ns(uint64_t ns)
{
	uint64_t now = wp__os_now_ns();
	return ns > WP_FOREVER - now ? WP_FOREVER : now + ns;
}

uint64_t wp_after_ms(uint64_t ms)
{
	return ms > WP_FOREVER / 1000000 ? WP_FOREVER : wp_after_ns(ms * 1000000);
}
