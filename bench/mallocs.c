/* SPDX-License-Identifier: MIT */
#include "mallocs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "sanitizer.h"

#if defined(__GLIBC__) && !BENCH_SANITIZED
#define CAN_COUNT 1
#else
#define CAN_COUNT 0
#endif

static atomic_bool counting;
static _Atomic uint64_t calls[MALLOCS_KINDS];

void mallocs_begin(void)
{
	for (int i = 0; i < MALLOCS_KINDS; i++)
		atomic_store(&calls[i], 0);
	atomic_store(&counting, true);
}

struct mallocs mallocs_end(void)
{
	struct mallocs result;

	atomic_store(&counting, false);
	for (int i = 0; i < MALLOCS_KINDS; i++)
		result.calls[i] = atomic_load(&calls[i]);
	return result;
}

bool mallocs_available(void)
{
	/* Volatile, or the compiler would remove a pair that has no effect. */
	void *volatile memory;
	struct mallocs seen;

	mallocs_begin();
	memory = malloc(1);
	free(memory);
	memory = calloc(1, 1);
	memory = realloc(memory, 100);
	free(memory);
	memory = aligned_alloc(64, 64);
	free(memory);
	seen = mallocs_end();
	return CAN_COUNT && seen.calls[MALLOCS_MALLOC] == 1 && seen.calls[MALLOCS_CALLOC] == 1 &&
	       seen.calls[MALLOCS_REALLOC] == 1 && seen.calls[MALLOCS_ALIGNED] == 1 &&
	       seen.calls[MALLOCS_FREE] == 3;
}

#if CAN_COUNT

/* Names that glibc keeps for this purpose. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static void count(enum mallocs_kind kind)
{
	if (atomic_load_explicit(&counting, memory_order_relaxed))
		atomic_fetch_add_explicit(&calls[kind], 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
	count(MALLOCS_MALLOC);
	return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	count(MALLOCS_CALLOC);
	return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
	count(MALLOCS_REALLOC);
	return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
	count(MALLOCS_ALIGNED);
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	count(MALLOCS_ALIGNED);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	void *found;

	if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	count(MALLOCS_ALIGNED);
	found = __libc_memalign(alignment, size);
	if (found == NULL)
		return ENOMEM;
	*memory = found;
	return 0;
}

void free(void *memory)
{
	if (memory != NULL)
		count(MALLOCS_FREE);
	__libc_free(memory);
}

#endif
