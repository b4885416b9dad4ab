/* SPDX-License-Identifier: MIT */
/*
 * What is done while calls fail. A scenario uses the public interface from creation to destruction
 * and holds every answer against what the headers document; failures inside it are no excuse for
 * anything but the documented errors. It cannot know whether a call has failed yet, so it calls
 * scenario_recover where an object must be as good as new: if something has failed so far, the
 * failures are suspended and the object is used once more.
 */
#ifndef WP_TESTS_FAULT_SCENARIOS_H
#define WP_TESTS_FAULT_SCENARIOS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t.h"

struct scenario {
	const char *name;
	void (*run)(void);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* Provided by the sweep: whether a call was made to fail in this run; suspends and resumes that. */
bool sweep_has_failed(void);
void sweep_suspend(void);
void sweep_resume(void);

/* scenarios_ctx.c */
void scenario_ctx_tree(void);
void scenario_ctx_jobs(void);

/* scenarios_producer.c */
void scenario_producers(void);

/* scenarios_queue.c */
void scenario_queue_use(void);
void scenario_queue_waits_for_room(void);
void scenario_queue_closed_while_waiting(void);
void scenario_queue_single(void);
void scenario_usable_cpus(void);
void scenario_pin_order(void);
void scenario_pin_order_of_made_up_machines(void);

/* A deadline that only a hang reaches. */
#define LONG_NS UINT64_C(60000000000)

/* Every call leaves errno alone, whatever fails in it. */
#define ERRNO_MARK 4242
#define CALL(type, result, expr)                                                 \
	type result;                                                             \
	do {                                                                     \
		errno = ERRNO_MARK;                                              \
		result = (expr);                                                 \
		t_assert_msg(errno == ERRNO_MARK, "%s: errno %d", #expr, errno); \
	} while (0)
#define EXPECT(expr, expected)                                             \
	do {                                                               \
		CALL(long long, got_, (long long)(expr));                  \
		t_assert_msg(got_ == (expected), "%s: %lld", #expr, got_); \
	} while (0)

#endif
