/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

bool bench_interrupted(void)
{
	return interrupted != 0;
}

void interrupt_install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	/* Once only: who presses the key again wants the program gone. */
	action.sa_flags = SA_RESTART | (int)SA_RESETHAND;
	action.sa_handler = on_interrupt;
	sigaction(SIGINT, &action, NULL);
	/* A closed pipe is seen as a failed write, so that a JSON file is still written. */
	signal(SIGPIPE, SIG_IGN);
}

void bench_die(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, BENCH_NAME ": %s\n", text);
	/* Other threads may be at work: no destructors, no exit handlers. */
	_exit(1);
}

void *bench_alloc(size_t count, size_t size)
{
	void *memory;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		bench_die("out of memory");
	bytes = (bytes + BENCH_ALONE) / BENCH_ALONE * BENCH_ALONE;
	memory = aligned_alloc(BENCH_ALONE, bytes);
	if (memory == NULL)
		bench_die("out of memory: %zu bytes could not be had", bytes);
	memset(memory, 0, bytes);
	return memory;
}

void bench_sleep_ns(uint64_t ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};

	/* The rest of the time is slept after a signal, unless the user asked to stop. */
	while (nanosleep(&t, &t) != 0 && errno == EINTR && !bench_interrupted())
		;
}

void bench_sample_add(struct bench_sample *sample, const char *name, const char *unit, double value)
{
	if (sample->value_count == BENCH_VALUES_MAX)
		bench_die("a workload has more than %d values", BENCH_VALUES_MAX);
	sample->values[sample->value_count++] = (struct bench_value){ name, unit, value };
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

void bench_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
}
