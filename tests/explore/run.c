/* SPDX-License-Identifier: MIT */
/* One execution; the same one again; and a failing one made as small as it gets. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "rt.h"

struct rt *rt;

/* ---- once ---- */

static int find_program(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	rt->program = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_TLS)
			continue;
		rt->tls_size = p->p_memsz;
		rt->tls_init_size = p->p_filesz;
		rt->tls_image = (const void *)(info->dlpi_addr + p->p_vaddr);
		rt->tls = info->dlpi_tls_data;
	}
	return 1; /* the first is the program itself */
}

/* A crash of the code under test ends the execution like any other failure. */
static void on_crash(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal == SIGALRM && !rt->running)
		return;
	if (!rt->test || rt->end != END_OK || !rt->running)
		_exit(128 + signal);
	if (signal == SIGALRM) {
		if (rt->executions != rt->alarm_execution || rt->steps != rt->alarm_steps) {
			rt->alarm_execution = rt->executions;
			rt->alarm_steps = rt->steps;
			return;
		}
		rt_fail("hang", "no operation for ten seconds");
	}
	rt_fail("crash", "signal %d, address %p", signal, info->si_addr);
}

static void watch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM, SIGTRAP };
	stack_t stack = { .ss_size = 64u << 10 };
	stack.ss_sp = mmap(
		NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = on_crash,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART };
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	struct itimerval ten = { { 10, 0 }, { 10, 0 } };
	setitimer(ITIMER_REAL, &ten, NULL);
}

void rt_init(void)
{
	void *p = mmap(NULL, sizeof(struct rt), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		abort();
	rt = p;
	dl_iterate_phdr(find_program, NULL);
	if (rt->tls_size)
		rt->tls_copy = mmap(NULL, RT_FIBERS * rt->tls_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rt_shadow_init();
	watch_crashes();
}

/* ---- one execution ---- */

static int budget(int option, int by_default)
{
	return option < 0 ? 0 : option == 0 ? by_default : option;
}

static void begin(struct explore_test *test, bool variant)
{
	rt->test = test;
	rt->variant = variant;
	rt->solo = true;
	rt->fair = false;
	rt->end = END_OK;
	rt->cur = 0;
	rt->nfibers = 1;
	rt->ready = 1;
	rt->spinning = rt->timed = 0;
	rt->now = 1000000000;
	rt->ticks_behind = 0;
	rt->writes = rt->hash = 0;
	rt->steps = rt->stores = rt->idle = rt->rcu_sections = 0;
	rt->nmutexes = rt->nevents = 0;
	rt->has_outcome = false;
	rt->what = NULL;
	rt->fail_pc[0] = rt->fail_pc[1] = NULL;
	memset(&rt->fences, 0, sizeof(rt->fences));
	memset(&rt->read_sides, 0, sizeof(rt->read_sides));
	memset(&rt->updates, 0, sizeof(rt->updates));
	rt->left.weak = budget(test->weak_failures, 1);
	rt->left.spurious = budget(test->spurious, 1);
	rt->left.timeouts = budget(test->timeouts, 1);
	rt->left.rushes = budget(test->rushes, 1);
	rt->left.allocs = budget(test->alloc_failures, 0);
	bool limits = rt->search == SEARCH_DFS;
	rt->left.stale = limits ? budget(rt->limit_stale, INT_MAX) : INT_MAX;
	if (test->stale < 0)
		rt->left.stale = 0;
	rt->left.preemptions = limits ? budget(rt->limit_preemptions, INT_MAX) : INT_MAX;
	for (unsigned i = 0; i < RT_FIBERS; i++) {
		memset(&rt->fiber[i], 0, sizeof(rt->fiber[i]));
		rt->fiber[i].id = (uint8_t)i;
	}
	rt->fiber[0].state = F_READY;
	rt_shadow_begin();
	rt_search_begin();
}

static void first_fiber(void)
{
	struct explore_test *test = rt->test;
	if (test->setup)
		test->setup();
	if (test->body[0])
		rt_begin_threads();
	if (test->check)
		test->check();
	if (test->no_leaks && rt_live_blocks())
		rt_fail("leak", "%u blocks are still allocated", rt_live_blocks());
	void *nowhere;
	rt_switch(&nowhere, rt->main_context);
}

enum end rt_execute(struct explore_test *test, bool variant)
{
	begin(test, variant);
	int saved = errno;
	if (rt->tls_size) {
		memset(rt->tls, 0, rt->tls_size);
		memcpy(rt->tls, rt->tls_image, rt->tls_init_size);
	}
	rt->running = true;
	rt_switch(&rt->main_context, rt_context(rt->arena, RT_STACK, first_fiber));
	rt->running = false;
	errno = saved;
	rt_shadow_end();
	rt->executions++;
	rt->steps_total += rt->steps;
	if (rt->steps > rt->steps_expected && !rt->fair)
		rt->steps_expected = rt->steps;
	return rt->end;
}

enum end rt_again(struct explore_test *test, bool variant, bool tracing)
{
	enum search search = rt->search;
	bool sleep_sets = rt->sleep_sets;
	rt->search = SEARCH_REPLAY;
	rt->sleep_sets = false;
	rt->fixed = rt->nchoices;
	rt->tracing = tracing;
	enum end end = rt_execute(test, variant);
	rt->tracing = false;
	rt->search = search;
	rt->sleep_sets = sleep_sets;
	return end;
}

bool rt_same_again(struct explore_test *test, bool variant)
{
	uint64_t hash = rt->hash;
	uint32_t steps = rt->steps, n = rt->nchoices;
	enum end end = rt->end;
	enum search search = rt->search;
	if (search != SEARCH_DFS)
		rt->search = SEARCH_REPLAY;
	rt->fixed = n;
	rt_execute(test, variant);
	rt->search = search;
	return rt->hash == hash && rt->steps == steps && rt->nchoices == n && rt->end == end;
}

/* ---- shrinking ---- */

struct kept {
	struct choice choice[RT_CHOICES];
	uint32_t n;
	const char *what;
};

static void keep(struct kept *k)
{
	while (rt->nchoices && !rt->choice[rt->nchoices - 1].value)
		rt->nchoices--;
	memcpy(k->choice, rt->choice, rt->nchoices * sizeof(k->choice[0]));
	k->n = rt->nchoices;
}

static bool still_fails(struct explore_test *test, bool variant, struct kept *k)
{
	if (rt_again(test, variant, false) != END_FAILED || strcmp(rt->what, k->what) != 0)
		return false;
	keep(k);
	return true;
}

static void restore(const struct kept *k)
{
	memcpy(rt->choice, k->choice, k->n * sizeof(k->choice[0]));
	rt->nchoices = k->n;
}

/*
 * Makes choices harmless as long as the same kind of failure remains: runs of them, halving, then
 * one by one. Fewer switches and fewer old reads are easier to read. Also tries to leave choices
 * out, because one fewer moves the later ones up.
 */
void rt_shrink(struct explore_test *test, bool variant)
{
	struct kept *k =
		mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k == MAP_FAILED)
		return;
	k->what = rt->what;
	keep(k);
	unsigned tries = 0;
	bool better = true;
	while (better && tries < 20000) {
		better = false;
		for (uint32_t length = k->n / 2 + 1; length; length /= 2) {
			for (uint32_t at = 0; at < k->n && tries < 20000; at += length) {
				restore(k);
				bool changed = false;
				uint32_t end = at + length < k->n ? at + length : k->n;
				for (uint32_t i = at; i < end; i++) {
					changed = changed || rt->choice[i].value;
					rt->choice[i].value = 0;
				}
				if (changed && ++tries && still_fails(test, variant, k))
					better = true;
			}
		}
		for (uint32_t at = 0; at < k->n && tries < 20000; at++) {
			restore(k);
			memmove(&rt->choice[at], &rt->choice[at + 1],
				(k->n - at - 1) * sizeof(k->choice[0]));
			rt->nchoices--;
			uint32_t before = k->n;
			tries++;
			if (still_fails(test, variant, k) && k->n < before)
				better = true;
		}
	}
	restore(k);
	munmap(k, sizeof(*k));
}
