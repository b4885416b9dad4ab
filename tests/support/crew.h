/* SPDX-License-Identifier: MIT */
/*
 * Threads for tests that need many: a crew starts together, each member knows its number, and
 * whoever started it waits for all. Also how large a load is: t_scaled divides by ten where a
 * sanitizer slows everything down, and multiplies by the environment's WP_TEST_SCALE (for runs of
 * hours).
 */
#ifndef WP_TESTS_CREW_H
#define WP_TESTS_CREW_H

#include <stdint.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/os.h"
#include "t.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define T_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define T_SANITIZED 1
#endif
#endif
#ifndef T_SANITIZED
#define T_SANITIZED 0
#endif

/* n, or what is right for this build and environment; at least 1. */
static inline uint64_t t_scaled(uint64_t n)
{
	const char *text = getenv("WP_TEST_SCALE");
	double factor = text && atof(text) > 0 ? atof(text) : 1;
	double scaled = (double)n * factor / (T_SANITIZED ? 10 : 1);
	return scaled < 1 ? 1 : (uint64_t)scaled;
}

#define CREW_MAX 64

struct crew;

struct crew_member {
	struct crew *crew;
	unsigned me;
	struct wp__thread thread;
};

struct crew {
	void (*run)(void *arg, unsigned me);
	void *arg;
	unsigned size;
	wp_atomic_u32 missing; /* members that have not arrived yet */
	struct crew_member members[CREW_MAX];
};

static inline void *crew_main(void *arg)
{
	struct crew_member *member = (struct crew_member *)arg;
	struct crew *crew = member->crew;
	wp_sub_rlx_u32(&crew->missing, 1);
	while (wp_load_rlx_u32(&crew->missing))
		wp__os_yield();
	crew->run(crew->arg, member->me);
	return NULL;
}

/* Starts n threads that call run(arg, 0 .. n-1) when all of them are there. */
static inline void crew_start(
	struct crew *crew, unsigned n, void (*run)(void *arg, unsigned me), void *arg)
{
	t_assert(n <= CREW_MAX);
	crew->run = run;
	crew->arg = arg;
	crew->size = n;
	wp_store_rlx_u32(&crew->missing, n);
	for (unsigned i = 0; i < n; i++) {
		struct crew_member *member = &crew->members[i];
		member->crew = crew;
		member->me = i;
		t_assert_int_eq(wp__os_thread_create(&member->thread, 0, crew_main, member), 0);
	}
}

static inline void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->size; i++)
		wp__os_thread_join(&crew->members[i].thread);
}

#endif
