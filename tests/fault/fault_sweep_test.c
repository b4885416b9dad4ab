/* SPDX-License-Identifier: MIT */
/*
 * Every call that can fail, made to fail: the first time it is made, the second time, and so on
 * until a scenario passes without getting there; once, and from then on; with several errors.
 *
 * After each run nothing may be left: the books of doors.c are what they were before. After the
 * last one neither are threads or files. In the end every site must have been hit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wpool/clock.h>

#include "base/os.h"
#include "crew.h"
#include "doors.h"
#include "hooks.h"
#include "proc.h"
#include "scenarios.h"
#include "t.h"

/* Seconds for one run, of milliseconds: only a hang takes them. */
#define RUN_LIMIT 60
/* Runs per scenario, site, mode and error: how often threads sleep and wake has no end. */
#define NTH_MAX   80
/* Up to here every call fails in turn, in every build; after it as many as t_scaled lets. */
#define NTH_DENSE 6

/* The last one stands for every site of enum wp_fault_site. */
#define SITES    DOORS_END
#define ANY_SITE SITES

struct site {
	const char *name;
	int errors[4]; /* as the call may fail; ends with 0 */
};

static const struct site sites[SITES + 1] = {
	[WP_FAULT_ALLOC] = { "alloc", { ENOMEM } },
	[WP_FAULT_RESERVE] = { "reserve", { ENOMEM } },
	[WP_FAULT_DISCARD] = { "discard", { ENOMEM, EINVAL } },
	[WP_FAULT_THREAD] = { "thread", { EAGAIN, EPERM, ENOMEM } },
	[WP_FAULT_AT_FORK] = { "at fork", { ENOMEM } },
	[WP_FAULT_THREAD_NAME] = { "thread name", { ERANGE, EPERM } },
	[WP_FAULT_SLICE] = { "time slice", { EPERM, ENOSYS } },
	[WP_FAULT_FUTEX_WAIT] = { "futex wait", { EINTR } },
	[WP_FAULT_FUTEX_WAKE] = { "futex wake", { EFAULT } },
	[WP_FAULT_MEMBARRIER] = { "membarrier", { ENOSYS, EPERM } },
	[WP_FAULT_GET_AFFINITY] = { "get affinity", { EINVAL, EPERM } },
	[WP_FAULT_SET_AFFINITY] = { "set affinity", { EINVAL, EPERM } },
	[WP_FAULT_READ_FILE] = { "read file", { ENOENT, EMFILE, EACCES } },
	[WP_FAULT_TOPOLOGY] = { "topology", { ENOMEM, EINVAL, EPERM } },
	[WP_FAULT_BACKTRACE] = { "backtrace", { ENOMEM } },
	[WP_FAULT_STACK_END] = { "stack end", { ENOMEM } },
	[WP_FAULT_PROTECT] = { "protect", { ENOMEM, EACCES } },
	[WP_FAULT_SIGACTION] = { "sigaction", { EINVAL } },
	[WP_FAULT_SIGALTSTACK] = { "sigaltstack", { ENOMEM, EPERM } },
	[DOOR_ALIGNED_ALLOC] = { "aligned_alloc", { ENOMEM } },
	[DOOR_MMAP] = { "mmap", { ENOMEM, EAGAIN, EPERM } },
	[DOOR_MADVISE] = { "madvise", { ENOMEM, EINVAL } },
	[DOOR_MPROTECT] = { "mprotect", { ENOMEM, EACCES } },
	[DOOR_SIGALTSTACK] = { "sigaltstack (call)", { ENOMEM, EPERM } },
	[DOOR_ATTR_GET] = { "pthread_getattr_np", { ENOMEM } },
	[DOOR_ATTR_INIT] = { "pthread_attr_init", { ENOMEM } },
	[DOOR_ATTR_STACKSIZE] = { "pthread_attr_setstacksize", { EINVAL } },
	[DOOR_ATTR_SIGMASK] = { "pthread_attr_setsigmask_np", { ENOMEM } },
	[DOOR_THREAD_CREATE] = { "pthread_create", { EAGAIN, EINVAL, EPERM } },
	[DOOR_THREAD_SETNAME] = { "pthread_setname_np", { ERANGE, ENOENT } },
	[DOOR_FUTEX_WAIT] = { "futex", { EINTR } },
	[DOOR_MEMBARRIER] = { "membarrier (call)", { ENOSYS, EPERM } },
	[DOOR_GETAFFINITY] = { "sched_getaffinity", { EINVAL, EPERM } },
	[DOOR_SETAFFINITY] = { "sched_setaffinity", { EINVAL, EPERM } },
	[DOOR_NANOSLEEP] = { "clock_nanosleep", { EINTR } },
	[DOOR_OPEN] = { "open", { EMFILE, ENOENT, EACCES } },
	[DOOR_READ] = { "read", { EIO, EINTR } },
	[DOOR_HWLOC_INIT] = { "hwloc_topology_init", { ENOMEM } },
	[DOOR_HWLOC_FLAGS] = { "hwloc_topology_set_flags", { EINVAL } },
	[DOOR_HWLOC_LOAD] = { "hwloc_topology_load", { ENOMEM, EINVAL, EPERM } },
	[ANY_SITE] = { "any of the first", { ENOMEM, EAGAIN } },
};

/* ---- one setting for both kinds of sites ---- */

static struct setting {
	const struct scenario *scenario;
	const struct site *site;
	unsigned number;
	uint64_t nth;
	bool onwards;
	int error;
	uint64_t failures_before;
} now;

static bool is_door(unsigned number)
{
	return number > WP_FAULT_SITES - 1 && number != ANY_SITE;
}

/* How enum wp_fault_site calls it. */
static unsigned hook_number(unsigned number)
{
	return number == ANY_SITE ? WP_FAULT_ANY : number;
}

static uint64_t calls(unsigned number)
{
	return is_door(number) ? door_calls(number) : wp__fault_calls(hook_number(number));
}

static uint64_t failures(unsigned number)
{
	return is_door(number) ? door_failures(number) : wp__fault_failures(hook_number(number));
}

static void arm(uint64_t nth)
{
	if (is_door(now.number))
		door_arm(now.number, nth, now.onwards, now.error);
	else
		wp__fault_arm(hook_number(now.number), nth, now.onwards, now.error);
}

bool sweep_has_failed(void)
{
	return failures(now.number) > now.failures_before;
}

void sweep_suspend(void)
{
	wp__fault_disarm();
	door_disarm();
}

void sweep_resume(void)
{
	if (now.onwards)
		arm(1);
}

/* ---- what is left ---- */

static void describe(char *text, size_t size)
{
	snprintf(text, size, "scenario \"%s\", call %llu of %s%s, error %d\n", now.scenario->name,
		(unsigned long long)now.nth, now.site->name, now.onwards ? " and all after it" : "",
		now.error);
}

static void check_books(const struct door_books *before)
{
	struct door_books after = door_open_now();
	char text[200];
	describe(text, sizeof(text));
	t_assert_msg(memcmp(before, &after, sizeof(after)) == 0,
		"left open: memory %ld, mappings %ld, threads %ld, attributes %ld, files %ld, "
		"topologies %ld: %s",
		after.memory - before->memory, after.mappings - before->mappings,
		after.threads - before->threads, after.attributes - before->attributes,
		after.files - before->files, after.topologies - before->topologies, text);
}

/* The kernel may show a thread for a moment after it was joined. */
static void check_system(unsigned threads, unsigned files)
{
	uint64_t end = wp_after_ns(UINT64_C(20000000000));
	while (proc_threads() > threads && wp_now_ns() < end)
		wp__os_sleep(1000000);
	t_assert_msg(proc_threads() <= threads, "%s leaves threads behind", now.scenario->name);
	t_assert_msg(proc_files() <= files, "%s leaves files open", now.scenario->name);
}

static void on_alarm(int signal)
{
	char text[200];
	(void)signal;
	describe(text, sizeof(text));
	static const char hangs[] = "hangs: ";
	if (write(STDERR_FILENO, hangs, sizeof(hangs) - 1) < 0 ||
		write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(3);
	_exit(2);
}

/* ---- the sweep ---- */

static uint64_t runs;

/* Whether the call did fail. */
static bool run_once(void)
{
	struct door_books before = door_open_now();
	now.failures_before = failures(now.number);
	arm(now.nth);
	alarm(RUN_LIMIT);
	now.scenario->run();
	alarm(0);
	sweep_suspend();
	check_books(&before);
	runs++;
	return sweep_has_failed();
}

/* Calls that are repeated until they are not interrupted: that cannot go on for ever. */
static bool ends_by_itself(void)
{
	return now.error == EINTR && (now.number == DOOR_READ || now.number == DOOR_NANOSLEEP);
}

/* The next call to fail. What is left out where the sweep is scaled down another build does. */
static uint64_t next(uint64_t nth)
{
	uint64_t step = NTH_MAX / t_scaled(NTH_MAX);
	return nth + (nth < NTH_DENSE || step == 0 ? 1 : step);
}

static void sweep_site(unsigned number)
{
	now.site = &sites[number];
	now.number = number;
	for (unsigned e = 0; e < 4 && now.site->errors[e]; e++) {
		now.error = now.site->errors[e];
		for (unsigned mode = 0; mode < (ends_by_itself() ? 1u : 2u); mode++) {
			now.onwards = mode;
			now.nth = 1;
			while (run_once() && now.nth < NTH_MAX)
				now.nth = next(now.nth);
			if (now.nth == 1)
				return; /* it is not called here */
		}
	}
}

static void report_sites(void)
{
	unsigned covered = 0;
	for (unsigned i = 0; i < SITES; i++) {
		printf("%-28s %8llu calls %6llu failures\n", sites[i].name,
			(unsigned long long)calls(i), (unsigned long long)failures(i));
		covered += failures(i) > 0;
	}
	printf("sites covered: %u of %u (%u %%), in %llu runs of %zu scenarios\n", covered, SITES,
		covered * 100 / SITES, (unsigned long long)runs, scenario_count);
	fflush(stdout);
	t_assert_u64_eq(covered, SITES);
}

/* hwloc copies overlapping memory where it makes up a machine: valgrind's complaint is right. */
static bool is_left_out(const struct scenario *scenario)
{
	if (!t_memcheck() || !strstr(scenario->name, "made-up machine"))
		return false;
	printf("left out under valgrind: %s\n", scenario->name);
	return true;
}

T_TEST_TIMEOUT(fault, sweep, 900)
{
	struct sigaction action = { .sa_handler = on_alarm };
	sigaction(SIGALRM, &action, NULL);
	for (unsigned i = 0; i < SITES; i++)
		t_assert_msg(sites[i].name != NULL, "site %u has no entry", i);
	/* What is made once and for all is made now. */
	for (size_t i = 0; i < scenario_count; i++) {
		if (is_left_out(&scenarios[i]))
			continue;
		now.scenario = &scenarios[i];
		now.site = &sites[ANY_SITE];
		now.number = ANY_SITE;
		scenarios[i].run();
	}
	unsigned threads = proc_threads(), files = proc_files();
	for (size_t i = 0; i < scenario_count; i++) {
		if (is_left_out(&scenarios[i]))
			continue;
		now.scenario = &scenarios[i];
		for (unsigned site = 0; site <= ANY_SITE; site++)
			sweep_site(site);
		check_system(threads, files);
	}
	report_sites();
}
