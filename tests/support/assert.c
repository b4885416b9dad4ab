/* SPDX-License-Identifier: MIT */
/* The assertions of t.h; the same for both runners. */
#define _GNU_SOURCE
#include "t.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool t_memcheck(void)
{
	return getenv("WP_TEST_MEMCHECK") != NULL;
}

/*
 * Straight to _exit: the other threads of the test may hold anything, and Criterion's own way out
 * of a test is a longjmp that only the test's first thread may take.
 */
_Noreturn void t__fail(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fflush(stdout);
	dprintf(STDERR_FILENO, "%s:%d: assertion failed: %s\n", file, line, text);
	_exit(1);
}

void t__int_eq(const char *file, int line, const char *a_text, const char *b_text, long long a,
	long long b)
{
	if (a != b)
		t__fail(file, line, "%s is %lld, not %s (%lld)", a_text, a, b_text, b);
}

void t__u64_eq(const char *file, int line, const char *a_text, const char *b_text,
	unsigned long long a, unsigned long long b)
{
	if (a != b)
		t__fail(file, line, "%s is %llu (%#llx), not %s (%llu)", a_text, a, a, b_text, b);
}

void t__str_eq(const char *file, int line, const char *a_text, const char *b_text, const char *a,
	const char *b)
{
	if (!a || !b ? a != b : strcmp(a, b) != 0)
		t__fail(file, line, "%s is \"%s\", not %s (\"%s\")", a_text, a ? a : "(null)",
			b_text, b ? b : "(null)");
}
