/* SPDX-License-Identifier: MIT */
/* Memory, processors and environment of base/os.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "hooks.h"
#include "t.h"

/* ---- memory ---- */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The first byte in [from, to) that is not `value`, or `to`. */
static size_t first_other(const unsigned char *bytes, size_t from, size_t to, int value)
{
	while (from < to && bytes[from] == value)
		from++;
	return from;
}

T_TEST(os_memory, reserved_memory_is_zero_aligned_and_writable)
{
	size_t page = page_size(), size = 5 * page;
	unsigned char *memory = wp__os_reserve(size);
	t_assert(memory != NULL);
	t_assert_u64_eq((uintptr_t)memory % page, 0);
	t_assert_u64_eq(first_other(memory, 0, size, 0), size);
	memset(memory, 1, size);
	wp__os_release(memory, size);
}

T_TEST(os_memory, discarded_pages_read_zero)
{
	size_t page = page_size(), size = 4 * page;
	unsigned char *memory = wp__os_reserve(size);
	t_assert(memory != NULL);
	memset(memory, 1, size);
	t_assert_int_eq(wp__os_discard(memory, size), 0);
	t_assert_u64_eq(first_other(memory, 0, size, 0), size);
	wp__os_release(memory, size);
}

T_TEST(os_memory, discard_keeps_pages_that_it_covers_in_part)
{
	size_t page = page_size(), size = 4 * page;
	unsigned char *memory = wp__os_reserve(size);
	t_assert(memory != NULL);
	memset(memory, 1, size);
	t_assert_int_eq(wp__os_discard(memory + 1, 3 * page), 0);
	t_assert_u64_eq(first_other(memory, 0, page, 1), page);
	t_assert_u64_eq(first_other(memory, page, 3 * page, 0), 3 * page);
	t_assert_u64_eq(first_other(memory, 3 * page, size, 1), size);
	/* Less than a page: nothing to give back. */
	t_assert_int_eq(wp__os_discard(memory + 10, page), 0);
	t_assert_int_eq(wp__os_discard(memory, 0), 0);
	t_assert_u64_eq(first_other(memory, 0, page, 1), page);
	wp__os_release(memory, size);
}

T_TEST(os_memory, discard_of_what_is_not_there_is_an_error)
{
	size_t size = 4 * page_size();
	void *memory = wp__os_reserve(size);
	t_assert(memory != NULL);
	wp__os_release(memory, size);
	errno = 4711;
	t_assert_int_eq(wp__os_discard(memory, size), -ENOMEM);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_memory, more_than_the_address_space_is_refused)
{
	errno = 4711;
	t_assert(wp__os_reserve(SIZE_MAX / 2) == NULL);
	t_assert(wp__os_reserve(0) == NULL);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_memory, faults)
{
	size_t size = 2 * page_size();
	errno = 4711;
	wp__fault_arm(WP_FAULT_RESERVE, 2, true, ENOMEM);
	void *memory = wp__os_reserve(size);
	t_assert(memory != NULL);
	t_assert(wp__os_reserve(size) == NULL);
	t_assert(wp__os_reserve(size) == NULL);
	wp__fault_arm(WP_FAULT_DISCARD, 1, false, EINVAL);
	t_assert_int_eq(wp__os_discard(memory, size), -EINVAL);
	t_assert_int_eq(wp__os_discard(memory, size), 0);
	wp__os_release(memory, size);
	t_assert_int_eq(errno, 4711);
}

/* ---- processors ---- */

static unsigned cpus_in(const struct wp__cpu_set *set)
{
	unsigned n = 0;
	for (unsigned cpu = 0; cpu < WP__CPU_MAX; cpu++)
		n += wp__cpu_isset(set, cpu);
	return n;
}

T_TEST(os_affinity, is_what_the_c_library_says)
{
	struct wp__cpu_set set;
	memset(&set, 0xff, sizeof(set));
	t_assert_int_eq(wp__os_get_affinity(&set), 0);
	cpu_set_t theirs;
	if (sched_getaffinity(0, sizeof(theirs), &theirs) != 0)
		t_skip("more processors than the C library's set has");
	t_assert_int_eq(cpus_in(&set), CPU_COUNT(&theirs));
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		t_assert_int_eq(wp__cpu_isset(&set, cpu), CPU_ISSET(cpu, &theirs) != 0);
	t_assert(!wp__cpu_isset(&set, WP__CPU_MAX));
	t_assert(!wp__cpu_isset(&set, UINT_MAX));
}

T_TEST(os_affinity, a_thread_stays_where_it_was_put)
{
	struct wp__cpu_set all, one, now;
	t_assert_int_eq(wp__os_get_affinity(&all), 0);
	for (unsigned cpu = 0; cpu < WP__CPU_MAX; cpu++) {
		if (!wp__cpu_isset(&all, cpu))
			continue;
		memset(&one, 0, sizeof(one));
		one.bits[cpu / 64] = UINT64_C(1) << (cpu % 64);
		t_assert_int_eq(wp__os_set_affinity(&one), 0);
		t_assert_int_eq(sched_getcpu(), cpu);
		t_assert_int_eq(wp__os_get_affinity(&now), 0);
		t_assert(memcmp(&now, &one, sizeof(now)) == 0);
	}
	t_assert_int_eq(wp__os_set_affinity(&all), 0);
}

T_TEST(os_affinity, no_processor_at_all_is_an_error)
{
	struct wp__cpu_set none = { { 0 } };
	errno = 4711;
	t_assert_int_eq(wp__os_set_affinity(&none), -EINVAL);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_affinity, faults)
{
	struct wp__cpu_set set;
	errno = 4711;
	wp__fault_arm(WP_FAULT_GET_AFFINITY, 1, false, EPERM);
	t_assert_int_eq(wp__os_get_affinity(&set), -EPERM);
	t_assert_int_eq(wp__os_get_affinity(&set), 0);
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, false, EINVAL);
	t_assert_int_eq(wp__os_set_affinity(&set), -EINVAL);
	t_assert_int_eq(wp__os_set_affinity(&set), 0);
	t_assert_int_eq(errno, 4711);
}

/* ---- environment ---- */

static char *temporary_file(const char *content)
{
	static char path[] = "/tmp/wpool-os-test-XXXXXX";
	int fd = mkstemp(path);
	t_assert(fd >= 0);
	t_assert_int_eq(write(fd, content, strlen(content)), strlen(content));
	close(fd);
	return path;
}

T_TEST(os_file, is_read_and_ended_with_zero)
{
	char *path = temporary_file("max 100000\n"), buffer[64];
	memset(buffer, 'x', sizeof(buffer));
	t_assert_int_eq(wp__os_read_file(path, buffer, sizeof(buffer)), 11);
	t_assert_str_eq(buffer, "max 100000\n");
	unlink(path);
}

T_TEST(os_file, is_cut_where_the_buffer_ends)
{
	char *path = temporary_file("0123456789"), buffer[64];
	memset(buffer, 'x', sizeof(buffer));
	t_assert_int_eq(wp__os_read_file(path, buffer, 5), 4);
	t_assert_str_eq(buffer, "0123");
	t_assert_int_eq(buffer[5], 'x');
	t_assert_int_eq(wp__os_read_file(path, buffer, 11), 10);
	t_assert_str_eq(buffer, "0123456789");
	t_assert_int_eq(wp__os_read_file(path, buffer, 1), 0);
	t_assert_str_eq(buffer, "");
	unlink(path);
}

T_TEST(os_file, an_empty_one_is_an_empty_string)
{
	char buffer[8] = "xxxxxxx";
	t_assert_int_eq(wp__os_read_file("/dev/null", buffer, sizeof(buffer)), 0);
	t_assert_str_eq(buffer, "");
}

T_TEST(os_file, a_missing_one_or_a_directory_is_an_error)
{
	char buffer[8];
	errno = 4711;
	t_assert_int_eq(wp__os_read_file("/nonexistent/file", buffer, sizeof(buffer)), -ENOENT);
	t_assert_int_eq(wp__os_read_file("/", buffer, sizeof(buffer)), -EISDIR);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_file, faults)
{
	char buffer[8];
	errno = 4711;
	wp__fault_arm(WP_FAULT_READ_FILE, 1, false, EACCES);
	t_assert_int_eq(wp__os_read_file("/dev/null", buffer, sizeof(buffer)), -EACCES);
	t_assert_int_eq(wp__os_read_file("/dev/null", buffer, sizeof(buffer)), 0);
	t_assert_int_eq(errno, 4711);
}

T_TEST(os_file, leaves_no_descriptor_open)
{
	char buffer[8];
	int before = dup(0);
	close(before);
	for (int i = 0; i < 10; i++) {
		wp__os_read_file("/dev/null", buffer, sizeof(buffer));
		wp__os_read_file("/", buffer, sizeof(buffer));
	}
	int after = dup(0);
	close(after);
	t_assert_int_eq(after, before);
}

T_TEST(os_environment, getenv)
{
	setenv("WP_TEST_SOMETHING", "value", 1);
	t_assert_str_eq(wp__os_getenv("WP_TEST_SOMETHING"), "value");
	unsetenv("WP_TEST_SOMETHING");
	t_assert(wp__os_getenv("WP_TEST_SOMETHING") == NULL);
}
