/* SPDX-License-Identifier: MIT */
/*
 * Tests that fork. A child must not use the assertions of t.h, whose runner belongs to the parent:
 * child_check ends it with a message instead, and child_ends tells the parent how it ended.
 */
#ifndef WP_TESTS_CHILD_H
#define WP_TESTS_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wpool/clock.h>

#include "base/os.h"
#include "t.h"

/* How long a child may take: a limit for hangs. */
#define CHILD_WATCHDOG_NS UINT64_C(60000000000)

#define CHILD_FAILED 99

#define child_check(cond)                                                                \
	do {                                                                             \
		if (!(cond)) {                                                           \
			static const char text_[] = "in a child: not true: " #cond "\n"; \
			if (write(STDERR_FILENO, text_, sizeof(text_) - 1) < 0)          \
				_exit(CHILD_FAILED - 1);                                 \
			_exit(CHILD_FAILED);                                             \
		}                                                                        \
	} while (0)

/* Ends the child as a program ends, so that a sanitizer has its say; under Criterion at once. */
static inline _Noreturn void child_exit(void)
{
#ifdef WP_USE_CRITERION
	_exit(0);
#else
	exit(0);
#endif
}

static inline pid_t child_fork(void)
{
	fflush(NULL); /* else the child prints it again */
	pid_t pid = fork();
	t_assert(pid >= 0);
	return pid;
}

/* Waits until the child has ended, as it must: with status 0. */
static inline void child_ends_well(pid_t pid)
{
	uint64_t end = wp_after_ns(CHILD_WATCHDOG_NS);
	int status;
	pid_t ended;
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		if (wp_now_ns() > end) {
			kill(pid, SIGKILL);
			t_assert_msg(false, "the child hangs");
		}
		wp__os_sleep(100000);
	}
	t_assert_int_eq(ended, pid);
	t_assert_msg(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
	t_assert_int_eq(WEXITSTATUS(status), 0);
}

/* Zeroed memory that parent and children share. */
static inline void *child_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_assert(memory != MAP_FAILED);
	return memory;
}

#endif
