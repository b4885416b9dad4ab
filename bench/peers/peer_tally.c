/* SPDX-License-Identifier: MIT */
#include "peer_run.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* As in ../task.c. */
#define STEPS    100000u
#define SLEEP_NS 1000000u

void (*peer_task)(void);

/*
 * Tallies live as long as the program and are only added to: a library's threads may outlive a run
 * and keep theirs. What a run added is the difference to what there was when it began.
 */
struct link {
	struct peer_tally tally;
	struct link *next;
};

__thread struct peer_tally *peer_tally_mine;

static struct link *tallies;
static struct peer_tally before;

/* For threads of one job each; every addition is atomic. */
static struct peer_tally alone;

struct peer_tally *peer_tally_claim(void)
{
	struct link *link = bench_alloc(1, sizeof(*link));

	link->next = __atomic_load_n(&tallies, __ATOMIC_RELAXED);
	/* Release: who finds the tally finds it zeroed. */
	while (!__atomic_compare_exchange_n(
		&tallies, &link->next, link, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	peer_tally_mine = &link->tally;
	return peer_tally_mine;
}

/*
 * On a boundary of its own: a loop of four instructions takes twice as long where it lies across
 * the end of a cache line, and where it lies would be another matter in each program.
 */
__attribute__((aligned(64))) static void compute(void)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < STEPS; i++) {
		sum += i;
		/* The compiler must not know what became of it, or it would compute a formula. */
		__asm__ volatile("" : "+r"(sum));
	}
	peer_must(sum == (uint64_t)STEPS * (STEPS - 1) / 2, "a job added up wrongly");
}

static void sleep_a_little(void)
{
	struct timespec t = { .tv_nsec = SLEEP_NS };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

bool peer_task_choose(const char *name)
{
	peer_task = strcmp(name, "cpu") == 0  ? compute
		    : strcmp(name, "io") == 0 ? sleep_a_little
					      : NULL;
	return peer_task != NULL || strcmp(name, "empty") == 0;
}

static inline void do_task(void)
{
	if (__builtin_expect(peer_task != NULL, 0))
		peer_task();
}

int peer_run_job(void *payload)
{
	do_task();
	peer_tally_add(peer_tally_of_thread(), peer_id(payload));
	return 0;
}

void peer_run_job_alone(uint64_t id)
{
	do_task();
	__atomic_fetch_add(&alone.sum, id, __ATOMIC_RELAXED);
	__atomic_fetch_add(&alone.squares, id * id, __ATOMIC_RELAXED);
	/* Release: who sees the count sees the sums. */
	__atomic_fetch_add(&alone.count, 1, __ATOMIC_RELEASE);
}

static uint64_t count_all(void)
{
	uint64_t count = __atomic_load_n(&alone.count, __ATOMIC_ACQUIRE);

	for (struct link *l = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE); l != NULL; l = l->next)
		count += __atomic_load_n(&l->tally.count, __ATOMIC_RELAXED);
	return count;
}

/* No job is running. */
static struct peer_tally all_sums(void)
{
	struct peer_tally all = alone;

	for (struct link *l = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE); l != NULL; l = l->next) {
		all.count += l->tally.count;
		all.sum += l->tally.sum;
		all.squares += l->tally.squares;
	}
	return all;
}

void peer_tally_begin(void)
{
	before = all_sums();
}

uint64_t peer_tally_count(void)
{
	return count_all() - before.count;
}

/* Sums are taken modulo 2^64, so the divisions come first, each on a factor that it divides. */
static uint64_t expected_sum(uint64_t n)
{
	return n % 2 == 0 ? n / 2 * (n + 1) : (n + 1) / 2 * n;
}

static uint64_t expected_squares(uint64_t n)
{
	/* n (n + 1) (2 n + 1) / 6 */
	uint64_t a = n, b = n + 1, c = 2 * n + 1;

	*(a % 2 == 0 ? &a : &b) /= 2;
	*(a % 3 == 0 ? &a : b % 3 == 0 ? &b : &c) /= 3;
	return a * b * c;
}

void peer_tally_check(const char *name, uint64_t jobs)
{
	struct peer_tally all = all_sums();

	all.count -= before.count;
	all.sum -= before.sum;
	all.squares -= before.squares;
	if (all.count != jobs || all.sum != expected_sum(jobs) ||
		all.squares != expected_squares(jobs))
		bench_die("%s: NOT EXACTLY ONCE: %llu jobs went in, %llu came out; sum of ids %llu "
			  "instead of %llu",
			name, (unsigned long long)jobs, (unsigned long long)all.count,
			(unsigned long long)all.sum, (unsigned long long)expected_sum(jobs));
}
