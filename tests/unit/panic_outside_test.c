/* SPDX-License-Identifier: MIT */
/* wp_panic where there is no job to give up: the process ends, and says why. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "t.h"

/* Runs `what` in a child whose standard error goes to text; returns the child's status. */
static int in_child(void (*what)(void), char *text, size_t size)
{
	int ends[2];
	t_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		what();
		_exit(0);
	}
	close(ends[1]);
	size_t length = 0;
	for (ssize_t n; (n = read(ends[0], text + length, size - 1 - length)) > 0;)
		length += (size_t)n;
	text[length] = '\0';
	close(ends[0]);
	int status;
	t_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static void panic_outside(void)
{
	wp_panic(1, "lost at %d", 7);
}

static void *panic_in_thread(void *arg)
{
	(void)arg;
	panic_outside();
	return NULL;
}

static int starts_a_thread(void *payload)
{
	pthread_t thread;
	t_assert_int_eq(pthread_create(&thread, NULL, panic_in_thread, payload), 0);
	pthread_join(thread, NULL);
	return 0;
}

static void panic_in_thread_of_job(void)
{
	struct wp_pool *pool = pool_of(1, 16, 16);
	struct wp_job job = { .fn = starts_a_thread };
	wp_submit_wait(pool, &job);
}

T_TEST(panic_outside, aborts)
{
	char text[4096];
	void (*const cases[])(void) = { panic_outside, panic_in_thread_of_job };
	for (unsigned i = 0; i < 2; i++) {
		int status = in_child(cases[i], text, sizeof(text));
		t_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		t_assert_msg(strstr(text, "wpool: wp_panic outside of a job: lost at 7\n") != NULL,
			"%s", text);
	}
}
