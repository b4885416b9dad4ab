/* SPDX-License-Identifier: MIT */
/* The only door to the heap. */
#ifndef WP_BASE_ALLOC_H
#define WP_BASE_ALLOC_H

#include <stddef.h>

/*
 * `size` zeroed bytes, aligned to `align` (a power of two, at least sizeof(void *)); NULL when
 * there is no memory or size is 0. Freed by wp__free.
 */
void *wp__alloc(size_t align, size_t size);

/* NULL is fine. */
void wp__free(void *memory);

#endif
