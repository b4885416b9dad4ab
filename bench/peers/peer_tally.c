/* SPDX-License-Identifier: MIT */
#include "peer_run.h"

#include <stdlib.h>

/* Threads that may take jobs during one run. */
#define TALLIES_MAX 4096

__thread struct peer_tally *peer_tally_mine;

static struct peer_tally *tallies;
static unsigned tallies_used;

/* For threads of one job each; every addition is atomic. */
static struct peer_tally alone;

struct peer_tally *peer_tally_claim(void)
{
	unsigned index = __atomic_fetch_add(&tallies_used, 1, __ATOMIC_RELAXED);

	if (index >= TALLIES_MAX)
		bench_die("jobs ran on more than %d threads", TALLIES_MAX);
	peer_tally_mine = &tallies[index];
	return peer_tally_mine;
}

int peer_run_job(void *payload)
{
	peer_tally_add(peer_tally_of_thread(), peer_id(payload));
	return 0;
}

void peer_run_job_alone(uint64_t id)
{
	__atomic_fetch_add(&alone.sum, id, __ATOMIC_RELAXED);
	__atomic_fetch_add(&alone.squares, id * id, __ATOMIC_RELAXED);
	/* Release: who sees the count sees the sums. */
	__atomic_fetch_add(&alone.count, 1, __ATOMIC_RELEASE);
}

void peer_tally_begin(void)
{
	free(tallies);
	tallies = bench_alloc(TALLIES_MAX, sizeof(*tallies));
	__atomic_store_n(&tallies_used, 0, __ATOMIC_RELAXED);
	alone = (struct peer_tally){ 0 };
	peer_tally_mine = NULL;
}

static unsigned used(void)
{
	unsigned count = __atomic_load_n(&tallies_used, __ATOMIC_RELAXED);

	return count < TALLIES_MAX ? count : TALLIES_MAX;
}

uint64_t peer_tally_count(void)
{
	uint64_t count = __atomic_load_n(&alone.count, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < used(); i++)
		count += __atomic_load_n(&tallies[i].count, __ATOMIC_RELAXED);
	return count;
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
	struct peer_tally all = alone;

	for (unsigned i = 0; i < used(); i++) {
		all.count += tallies[i].count;
		all.sum += tallies[i].sum;
		all.squares += tallies[i].squares;
	}
	if (all.count != jobs || all.sum != expected_sum(jobs) ||
		all.squares != expected_squares(jobs))
		bench_die("%s: NOT EXACTLY ONCE: %llu jobs went in, %llu came out; sum of ids %llu "
			  "instead of %llu",
			name, (unsigned long long)jobs, (unsigned long long)all.count,
			(unsigned long long)all.sum, (unsigned long long)expected_sum(jobs));
}
