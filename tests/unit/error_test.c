/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/version.h>

#include "t.h"

static const struct {
	int code, number;
	const char *text;
} codes[] = {
	{ WP_OK, 0, "success" },
	{ WP_EINVAL, -EINVAL, "invalid argument" },
	{ WP_ENOMEM, -ENOMEM, "out of memory" },
	{ WP_EFULL, -EAGAIN, "queue is full" },
	{ WP_ETIMEDOUT, -ETIMEDOUT, "deadline passed" },
	{ WP_ECANCELED, -ECANCELED, "cancelled" },
	{ WP_ECLOSED, -ESHUTDOWN, "closed" },
	{ WP_EFORCED, -ETIME, "shutdown deadline passed with jobs left" },
	{ WP_EPANIC, -ENOTRECOVERABLE, "job panicked" },
	{ WP_EDROPPED, -EIDRM, "job dropped by stop" },
	{ WP_EDEADLK, -EDEADLK, "would wait for itself" },
	{ WP_EFORKED, -EOWNERDEAD, "pool belongs to the parent process" },
	{ WP_EBUSY, -EBUSY, "busy" },
};
#define CODES (sizeof(codes) / sizeof(codes[0]))

T_TEST(error, codes_are_negated_errno_numbers)
{
	for (size_t i = 0; i < CODES; i++)
		t_assert_int_eq(codes[i].code, codes[i].number);
}

T_TEST(error, each_code_has_its_text)
{
	for (size_t i = 0; i < CODES; i++)
		t_assert_str_eq(wp_strerror(codes[i].code), codes[i].text);
}

T_TEST(error, every_other_number_is_unknown)
{
	unsigned known = 0;
	for (int e = -5000; e <= 5000; e++)
		known += strcmp(wp_strerror(e), "unknown error") != 0;
	t_assert_u64_eq(known, CODES);
	t_assert_str_eq(wp_strerror(INT_MIN), "unknown error");
	t_assert_str_eq(wp_strerror(INT_MAX), "unknown error");
	t_assert_str_eq(wp_strerror(EINVAL), "unknown error");
}

T_TEST(error, strerror_leaves_errno)
{
	errno = 4711;
	(void)wp_strerror(WP_EINVAL);
	(void)wp_strerror(12345);
	t_assert_int_eq(errno, 4711);
}

T_TEST(error, library_and_headers_are_one_version)
{
	t_assert_str_eq(wp_version(), WP_VERSION_STRING);
	char numbers[64];
	snprintf(numbers, sizeof(numbers), "%d.%d.%d", WP_VERSION_MAJOR, WP_VERSION_MINOR,
		WP_VERSION_PATCH);
	t_assert_str_eq(numbers, WP_VERSION_STRING);
}
