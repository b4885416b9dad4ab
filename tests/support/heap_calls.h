/* SPDX-License-Identifier: MIT */
/*
 * Every call of the heap in a program, of the library, the C library and others alike, is told to
 * heap_called(), which the one file of the program that includes this defines. Under a sanitizer,
 * which has a heap of its own, and with other C libraries, nothing is.
 */
#ifndef WP_TESTS_HEAP_CALLS_H
#define WP_TESTS_HEAP_CALLS_H

#include <errno.h>
#include <stdlib.h>

#include "t.h"

#if !T_SANITIZED && defined(__GLIBC__)
#define HEAP_IS_COUNTED 1

/* On the way of each call: it must not allocate. */
static void heap_called(void);

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *memory);

void *malloc(size_t size)
{
	heap_called();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	heap_called();
	return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	heap_called();
	return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	heap_called();
	return __libc_memalign(align, size);
}

int posix_memalign(void **memory, size_t align, size_t size)
{
	heap_called();
	*memory = __libc_memalign(align, size);
	return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
	heap_called();
	__libc_free(memory);
}

#else
#define HEAP_IS_COUNTED 0
#endif

#endif
