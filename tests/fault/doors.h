/* SPDX-License-Identifier: MIT */
/*
 * The calls behind the library's doors, made to fail one by one, and counted.
 *
 * The fault points of base/hooks.h stand in for whole doors ("a thread could not be started"). This
 * goes one level further down: the linker puts the functions of doors.c (--wrap) in place of the
 * calls that os.c, alloc.c and topo.c make to the C library and to hwloc, so that the doors' own
 * error paths run. It also keeps exact books of what is open: memory, mappings, threads,
 * attributes, files, topologies.
 *
 * Sites are numbered on from those of enum wp_fault_site. Any thread may call anything here.
 */
#ifndef WP_TESTS_FAULT_DOORS_H
#define WP_TESTS_FAULT_DOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hooks.h"

enum door {
	DOOR_ALIGNED_ALLOC = WP_FAULT_SITES,
	DOOR_MMAP,
	DOOR_MADVISE,
	DOOR_MPROTECT,
	DOOR_SIGALTSTACK,
	DOOR_ATTR_GET,
	DOOR_ATTR_INIT,
	DOOR_ATTR_STACKSIZE,
	DOOR_ATTR_SIGMASK,
	DOOR_THREAD_CREATE,
	DOOR_THREAD_SETNAME,
	DOOR_FUTEX_WAIT,
	DOOR_MEMBARRIER,
	DOOR_GETAFFINITY,
	DOOR_SETAFFINITY,
	DOOR_NANOSLEEP,
	DOOR_OPEN,
	DOOR_READ,
	DOOR_HWLOC_INIT,
	DOOR_HWLOC_FLAGS,
	DOOR_HWLOC_LOAD,
	DOORS_END
};

#define DOORS (DOORS_END - WP_FAULT_SITES)

/* As wp__fault_arm and its companions (support/hooks.h), for a site of enum door. */
void door_arm(unsigned site, uint64_t nth, bool onwards, int error);
void door_disarm(void);
uint64_t door_calls(unsigned site);
uint64_t door_failures(unsigned site);

/* What the library has open at present. */
struct door_books {
	long memory, mappings, threads, attributes, files, topologies;
};
struct door_books door_open_now(void);

/* Threads of the test itself, which neither fail nor count. */
struct door_thread;
struct door_thread *door_thread_start(void *(*start)(void *), void *arg);
void door_thread_join(struct door_thread *thread);

#endif
