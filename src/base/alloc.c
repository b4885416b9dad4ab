/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hooks.h"
#include "base/layout.h"

void *wp__alloc(size_t align, size_t size)
{
	if (size == 0 || size > SIZE_MAX - align || WP_FAULT(WP_FAULT_ALLOC))
		return NULL;
	/* aligned_alloc leaves errno set when it fails; wpool does not touch errno. */
	int saved = errno;
	void *memory = aligned_alloc(align, wp_round_up(size, align));
	errno = saved;
	if (memory)
		memset(memory, 0, size);
	return memory;
}

void wp__free(void *memory)
{
	free(memory);
}
