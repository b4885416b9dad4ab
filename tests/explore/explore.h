/* SPDX-License-Identifier: MIT */
/*
 * Explorer: runs C11 code under very many schedules and weak-memory outcomes, and tells which of
 * them breaks it.
 *
 * The objects under test are compiled with -fsanitize=thread and linked with the runtime in this
 * directory instead of the sanitizer's own. Every atomic operation, with its order, and every
 * plain access arrives there as a call. Threads are fibers in one thread of the system; which one
 * runs next, which store a load reads, whether a weak compare-and-swap fails for no reason, whether
 * a sleeper wakes for no reason, and whether an allocation fails are taken from one stream of
 * choices, so that a run is repeated exactly by repeating its choices. See docs/verification.md.
 *
 *     static wp_atomic_u32 x, y;
 *     static uint32_t r0, r1;
 *
 *     static void left(void)  { wp_store_rlx_u32(&x, 1); r0 = wp_load_rlx_u32(&y); }
 *     static void right(void) { wp_store_rlx_u32(&y, 1); r1 = wp_load_rlx_u32(&x); }
 *     static void check(void) { explore_outcome(r0 * 10 + r1); }
 *
 *     EXPLORE_TEST(store_buffering, .body = { left, right }, .check = check,
 *             .allowed = EXPLORE_OUTCOMES(0, 1, 10, 11));
 *
 * One execution is: setup, then the bodies as threads side by side, then check. All three run in
 * fibers; setup and check run alone. Static variables have their first value again in every
 * execution, memory of the doors is new. Nothing that a test does may depend on anything else (the
 * clock, the process, uninitialised memory): the runtime runs some executions twice and compares.
 */
#ifndef WP_TESTS_EXPLORE_H
#define WP_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Threads besides the one that runs setup and check; bodies and those created count. */
#define EXPLORE_THREADS 7

/* What happens to memory that was freed. */
enum explore_reuse {
	EXPLORE_NEVER_REUSE, /* every later access is a failure */
	EXPLORE_REUSE_LAST,  /* the next allocation of the size gets it: ABA */
};

struct explore_test {
	const char *name;
	void (*setup)(void);
	void (*body[EXPLORE_THREADS])(void);
	void (*check)(void);

	/*
	 * The outcomes that explore_outcome may report, EXPLORE_OUTCOMES(...). A complete search
	 * must see every one; any other is a failure.
	 */
	const unsigned *allowed;

	/* How often in one execution; -1 none, 0 the default (1, but no allocation failures). */
	int weak_failures;  /* a weak compare-and-swap fails although the value is right */
	int spurious;       /* a sleeper on a futex wakes for no reason, or by a signal */
	int timeouts;       /* a deadline passes although other threads could run */
	int rushes;         /* a waiting loop goes many rounds before anybody else moves */
	int alloc_failures; /* also of threads and address space */
	/*
	 * How many loads of an execution may read an old store, 0 any number; -1 none, and that in
	 * every search, not only in the exhaustive one.
	 */
	int stale;
	/* Most preemptions of an execution in the exhaustive search, -1 none, 0 any number. */
	int preemptions;

	enum explore_reuse reuse;
	bool late_stores; /* a store may come before earlier ones in the modification order */
	bool no_leaks;    /* memory that is still allocated after check is a failure */
	unsigned steps;   /* after that many the run is a livelock; 0: the default */

	/* For known bugs: explore_variant() in the fixed program and in the broken one. */
	bool has_bug;
	/* Words the failure report of the broken program contains, or NULL. */
	const char *bug_says;

	struct explore_test *next;
};

#define EXPLORE_OUTCOMES(...)             \
	(const unsigned[])                \
	{                                 \
		__VA_ARGS__, EXPLORE_LAST \
	}
#define EXPLORE_LAST 0xffffffffu

#define EXPLORE_TEST(name_, ...)                                                           \
	static struct explore_test explore_test_##name_ = { .name = #name_, __VA_ARGS__ }; \
	__attribute__((constructor)) static void explore_register_##name_(void)            \
	{                                                                                  \
		explore_register(&explore_test_##name_);                                   \
	}                                                                                  \
	struct explore_test

void explore_register(struct explore_test *test);

/* Fails the execution. */
#define explore_assert(expr) \
	((expr) ? (void)0 : explore_fail(__FILE__, __LINE__, "assertion failed: " #expr))
void explore_fail(const char *file, int line, const char *what);

/* 0 .. n-1: every value is tried; n is 1 .. 250. */
unsigned explore_choose(unsigned n);

/* What came out of this execution; graded against `allowed`. */
void explore_outcome(unsigned outcome);

/* True in the broken form of a known bug. */
bool explore_variant(void);

/* The number of the calling thread: 0 in setup and check, body[i] is i + 1. */
unsigned explore_self(void);

/* Notes a line for the failure report. `text` must live as long as the program. */
void explore_note(const char *text, uint64_t value);

/* An unlabelled wait-for-somebody-else, for bodies that poll. */
void explore_wait_hint(void);

/* The counter of ticks jumps back, for everybody; at most 1 s in all. */
void explore_ticks_jump_back(uint64_t ns);

/* Ends the calling thread as pthread_exit does. Only inside of wp__os_try. */
_Noreturn void explore_end_thread(void);

#endif
