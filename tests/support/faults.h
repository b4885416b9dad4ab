/* SPDX-License-Identifier: MIT */
/*
 * Jobs that fault, in each way that can be contained, and the child processes in which they do it.
 * One file of a program includes this. Needs _GNU_SOURCE.
 */
#ifndef WP_TESTS_FAULTS_H
#define WP_TESTS_FAULTS_H

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wpool/job.h>

#include "t.h"

/* A sanitizer has handlers of its own, and stops at the faults that these tests make. */
#if T_SANITIZED
#define SKIP_IF_SANITIZED() t_skip("the sanitizer owns the signal handlers")
#else
#define SKIP_IF_SANITIZED()                                            \
	do {                                                           \
		if (t_memcheck())                                      \
			t_skip("valgrind reports each of the faults"); \
	} while (0)
#endif

/* ---- the faults ---- */

static int segv(void *payload)
{
	(void)payload;
	volatile int *volatile nowhere = (int *)16;
	return *nowhere;
}

/* A mapping of a file beyond its end. */
static int bus(void *payload)
{
	(void)payload;
	FILE *file = tmpfile();
	t_assert(file != NULL);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
	t_assert(p != MAP_FAILED);
	return p[0];
}

static int fpe(void *payload)
{
	(void)payload;
#ifdef __x86_64__
	volatile int one = 1, zero = 0;
	return one / zero;
#else
	return raise(SIGFPE);
#endif
}

static int ill(void *payload)
{
	(void)payload;
#if defined(__x86_64__)
	__asm__ volatile("ud2");
#elif defined(__aarch64__)
	__asm__ volatile(".inst 0");
#else
	raise(SIGILL);
#endif
	return 0;
}

static int overflow_step(int depth);
static int (*volatile overflow_on)(int) = overflow_step;

static int overflow_step(int depth)
{
	volatile char room[500];
	room[depth % 500] = (char)depth;
	return overflow_on(depth + 1) + room[(depth + 1) % 500];
}

static int overflow(void *payload)
{
	(void)payload;
	return overflow_on(0);
}

static const struct fault {
	const char *name;
	wp_job_fn fn;
	int signal;
	const char *says;
} faults[] = {
	{ "SIGSEGV", segv, SIGSEGV, "segmentation fault (signal 11) at address 0x10" },
	{ "SIGBUS", bus, SIGBUS, "bus error" },
	{ "SIGFPE", fpe, SIGFPE, "arithmetic fault" },
	{ "SIGILL", ill, SIGILL, "illegal instruction" },
	{ "overflow", overflow, SIGSEGV, "stack overflow (signal 11)" },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* ---- children ---- */

static void stay_quiet(void)
{
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
}

/* The status of a child that runs what(arg) and then ends with 0. */
static int in_child(void (*what)(const void *arg), const void *arg)
{
	fflush(NULL);
	pid_t child = fork();
	t_assert(child >= 0);
	if (child == 0) {
		stay_quiet();
		what(arg);
		_exit(0);
	}
	int status;
	t_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static bool died_of(int status, int signal)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static bool ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
