/* SPDX-License-Identifier: MIT */
/*
 * Exact count of the calls of the heap functions, by all threads of the process.
 *
 * The program defines malloc and its relatives itself. Whatever is linked into it or loaded by it,
 * the C library included, calls these, which count while a count is being taken and hand on to the
 * C library's own. With a sanitizer, which needs malloc for itself, and with another C library than
 * glibc nothing is counted.
 */
#ifndef BENCH_MALLOCS_H
#define BENCH_MALLOCS_H

#include <stdbool.h>
#include <stdint.h>

enum mallocs_kind {
	MALLOCS_MALLOC,
	MALLOCS_CALLOC,
	MALLOCS_REALLOC,
	MALLOCS_ALIGNED, /* aligned_alloc, posix_memalign, memalign */
	MALLOCS_FREE,    /* of something; free(NULL) is not counted */
	MALLOCS_KINDS,
};

struct mallocs {
	uint64_t calls[MALLOCS_KINDS];
};

/*
 * Whether this build can count, found out by counting some calls of its own: a count that cannot be
 * anything but 0 would prove nothing.
 */
bool mallocs_available(void);

/* Between the two every call of every thread is counted; one count at a time. */
void mallocs_begin(void);
struct mallocs mallocs_end(void);

#endif
