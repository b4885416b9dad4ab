/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "hooks.h"
#include "t.h"

static bool is_zero(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

T_TEST(alloc, memory_is_aligned_zeroed_and_ours)
{
	for (size_t align = sizeof(void *); align <= 4096; align *= 2) {
		for (size_t size = 1; size <= 10000; size = size * 3 + 1) {
			/* Twice: the second one gets the memory that the first one wrote. */
			for (int round = 0; round < 2; round++) {
				unsigned char *memory = wp__alloc(align, size);
				t_assert(memory != NULL);
				t_assert_u64_eq((uintptr_t)memory % align, 0);
				t_assert(is_zero(memory, size));
				memset(memory, 0xa5, size);
				wp__free(memory);
			}
		}
	}
}

T_TEST(alloc, nothing_is_null)
{
	t_assert(wp__alloc(64, 0) == NULL);
	wp__free(NULL);
}

T_TEST(alloc, a_size_that_overflows_is_refused)
{
	errno = 4711;
	t_assert(wp__alloc(64, SIZE_MAX) == NULL);
	t_assert(wp__alloc(64, SIZE_MAX - 63) == NULL);
	t_assert(wp__alloc(4096, SIZE_MAX - 4000) == NULL);
	t_assert_int_eq(errno, 4711);
}

T_TEST(alloc, a_refusal_of_the_system_leaves_errno)
{
	if (T_SANITIZED)
		t_skip("a sanitizer ends the program when malloc is asked for this much");
	if (t_memcheck())
		t_skip("valgrind takes a request for this much for a mistake");
	errno = 4711;
	t_assert(wp__alloc(64, PTRDIFF_MAX) == NULL);
	t_assert_int_eq(errno, 4711);
}

T_TEST(alloc, the_nth_call_can_be_made_to_fail)
{
	errno = 4711;
	wp__fault_arm(WP_FAULT_ALLOC, 3, false, ENOMEM);
	for (int i = 1; i <= 5; i++) {
		void *memory = wp__alloc(16, 16);
		t_assert_int_eq(memory == NULL, i == 3);
		wp__free(memory);
	}
	t_assert_int_eq(errno, 4711);
}

T_TEST(alloc, from_the_nth_call_on_all_can_be_made_to_fail)
{
	wp__fault_arm(WP_FAULT_ALLOC, 3, true, ENOMEM);
	for (int i = 1; i <= 5; i++) {
		void *memory = wp__alloc(16, 16);
		t_assert_int_eq(memory == NULL, i >= 3);
		wp__free(memory);
	}
	wp__fault_disarm();
	void *memory = wp__alloc(16, 16);
	t_assert(memory != NULL);
	wp__free(memory);
}
