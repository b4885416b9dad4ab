/* SPDX-License-Identifier: MIT */
/*
 * Where tests reach into the library. A build without WP_TEST_HOOKS compiles all of it away; the
 * tests link a second build of the same sources that has it (tests/support/hooks.c).
 */
#ifndef WP_BASE_HOOKS_H
#define WP_BASE_HOOKS_H

#include <stdint.h>

/* Every call that can fail at one of the two doors. */
enum wp_fault_site {
	WP_FAULT_ALLOC,        /* wp__alloc, wp__alloc_aligned */
	WP_FAULT_RESERVE,      /* wp__os_reserve */
	WP_FAULT_DISCARD,      /* wp__os_discard */
	WP_FAULT_THREAD,       /* wp__os_thread_create */
	WP_FAULT_AT_FORK,      /* wp__os_at_fork */
	WP_FAULT_THREAD_NAME,  /* wp__os_thread_set_name */
	WP_FAULT_SLICE,        /* wp__os_thread_set_slice */
	WP_FAULT_FUTEX_WAIT,   /* wp__os_futex_wait */
	WP_FAULT_FUTEX_WAKE,   /* wp__os_futex_wake */
	WP_FAULT_MEMBARRIER,   /* wp__os_membarrier_register, wp__os_membarrier */
	WP_FAULT_GET_AFFINITY, /* wp__os_get_affinity */
	WP_FAULT_SET_AFFINITY, /* wp__os_set_affinity */
	WP_FAULT_READ_FILE,    /* wp__os_read_file */
	WP_FAULT_TOPOLOGY,     /* loading the machine's topology */
	WP_FAULT_BACKTRACE,    /* wp__os_backtrace */
	WP_FAULT_STACK_END,    /* wp__os_stack_end */
	WP_FAULT_PROTECT,      /* wp__os_protect */
	WP_FAULT_SIGACTION,    /* wp__trap_acquire */
	WP_FAULT_SIGALTSTACK,  /* wp__trap_enter_thread */
	WP_FAULT_SITES
};

#ifdef WP_TEST_HOOKS

/* 0: go on; else fail as if the call had set errno to this. */
int wp__fault(enum wp_fault_site site);
/* Passed at the labelled points of the protocols: a test may yield or sleep here. */
void wp__point(const char *label);
/* The ticket that new lanes start from. */
uint64_t wp__first_ticket(void);

#define WP_FAULT(site)    wp__fault(site)
#define WP_POINT(label)   wp__point(label)
#define WP_FIRST_TICKET() wp__first_ticket()

#else

#define WP_FAULT(site)    0
#define WP_POINT(label)   ((void)0)
#define WP_FIRST_TICKET() UINT64_C(0)

#endif
#endif
