/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include <stdlib.h>

_Thread_local struct tally *tally_mine;

static struct tally *tallies;
static unsigned tallies_allocated;
static unsigned tallies_allowed;
static atomic_uint tallies_used;

struct tally *tally_claim(void)
{
	unsigned index = atomic_fetch_add_explicit(&tallies_used, 1, memory_order_relaxed);

	if (index >= tallies_allowed)
		bench_die(
			"jobs ran on more than the %u threads that should exist", tallies_allowed);
	tally_mine = &tallies[index];
	return tally_mine;
}

int tally_job(void *payload)
{
	tally_add(tally_of_thread(), tally_id(payload));
	return 0;
}

void tally_begin(unsigned threads)
{
	if (threads > tallies_allocated) {
		free(tallies);
		tallies = bench_alloc(threads, sizeof(*tallies));
		tallies_allocated = threads;
	}
	for (unsigned i = 0; i < threads; i++) {
		tallies[i].count = tallies[i].sum = tallies[i].squares = tallies[i].hash = 0;
		atomic_store_explicit(&tallies[i].executed, 0, memory_order_relaxed);
		atomic_store_explicit(&tallies[i].last_ns, 0, memory_order_relaxed);
	}
	tallies_allowed = threads;
	atomic_store_explicit(&tallies_used, 0, memory_order_relaxed);
	tally_mine = NULL;
}

static unsigned used(void)
{
	unsigned count = atomic_load_explicit(&tallies_used, memory_order_relaxed);

	return count < tallies_allowed ? count : tallies_allowed;
}

uint64_t tally_executed(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < used(); i++)
		sum += atomic_load_explicit(&tallies[i].executed, memory_order_acquire);
	return sum;
}

uint64_t tally_last_ns(void)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < used(); i++) {
		uint64_t one = atomic_load_explicit(&tallies[i].last_ns, memory_order_relaxed);

		if (one > last)
			last = one;
	}
	return last;
}

/* The hash over 1 .. jobs is the one figure without a formula; runs mostly repeat the number. */
static uint64_t expected_hash(uint64_t jobs)
{
	static uint64_t of_jobs, hash;

	if (jobs != of_jobs) {
		hash = 0;
		for (uint64_t id = 1; id <= jobs; id++)
			hash ^= tally_hash(id);
		of_jobs = jobs;
	}
	return hash;
}

/* Sums are taken modulo 2^64, so the divisions come first, each on the factor it divides. */
static uint64_t expected_sum(uint64_t n)
{
	return n % 2 == 0 ? n / 2 * (n + 1) : (n + 1) / 2 * n;
}

static uint64_t expected_squares(uint64_t n)
{
	/* n (n + 1) (2 n + 1) / 6 */
	uint64_t a = n, b = n + 1, c = 2 * n + 1;

	if (a % 2 == 0)
		a /= 2;
	else
		b /= 2;
	if (a % 3 == 0)
		a /= 3;
	else if (b % 3 == 0)
		b /= 3;
	else
		c /= 3;
	return a * b * c;
}

void tally_check(const char *workload, uint64_t jobs)
{
	struct tally all = { 0 };

	for (unsigned i = 0; i < used(); i++) {
		all.count += tallies[i].count;
		all.sum += tallies[i].sum;
		all.squares += tallies[i].squares;
		all.hash ^= tallies[i].hash;
	}
	if (all.count == jobs && all.sum == expected_sum(jobs) &&
		all.squares == expected_squares(jobs) && all.hash == expected_hash(jobs))
		return;
	bench_die("%s: NOT EXACTLY ONCE: %llu jobs went in, %llu came out; sum of ids %llu instead "
		  "of %llu, hash %016llx instead of %016llx",
		workload, (unsigned long long)jobs, (unsigned long long)all.count,
		(unsigned long long)all.sum, (unsigned long long)expected_sum(jobs),
		(unsigned long long)all.hash, (unsigned long long)expected_hash(jobs));
}
