/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#ifdef BENCH_HAVE_NETTLE
#include <nettle/sha2.h>
#endif

#include "crew.h"
#include "tally.h"

#define STEPS    100000u
#define SLEEP_NS 1000000u
#define SLOW_ONE 5 /* of so many mixed jobs */

/* Enough for a figure, and not longer than 50 ms. */
#define BARE_NS       50000000u
#define BARE_BRIEF_NS 3000000u
/* More CPUs than this tell nothing new. */
#define BARE_THREADS  256u

/* Aligned as in peers/peer_tally.c, so that two builds take the same time for it. */
__attribute__((aligned(64))) static int cpu_job(void *payload)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < STEPS; i++) {
		sum += i;
		/* The compiler must not know what became of it, or it would compute a formula. */
		__asm__ volatile("" : "+r"(sum));
	}
	if (sum != (uint64_t)STEPS * (STEPS - 1) / 2)
		bench_die("a CPU job added up %llu", (unsigned long long)sum);
	return tally_job(payload);
}

static int io_job(void *payload)
{
	struct timespec t = { .tv_nsec = SLEEP_NS };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
	return tally_job(payload);
}

static int mixed_job(void *payload)
{
	return tally_id(payload) % SLOW_ONE == 0 ? cpu_job(payload) : tally_job(payload);
}

const struct task task_empty = { .fn = tally_job };
const struct task task_cpu = { .fn = cpu_job };
const struct task task_io = { .fn = io_job, .sleeps = true, .per_worker = 200 };
const struct task task_mixed = { .fn = mixed_job };

#ifdef BENCH_HAVE_NETTLE
#define HASHED_BYTES 8192

/* Byte i is i mod 251; the digest of such a buffer, by sha256sum. */
static const uint8_t hashed_digest[SHA256_DIGEST_SIZE] = {
	0x25,
	0xdf,
	0x24,
	0x49,
	0xb2,
	0xe5,
	0xa3,
	0x5f,
	0xea,
	0x14,
	0xe0,
	0x2a,
	0x71,
	0x58,
	0xe2,
	0x83,
	0x80,
	0x1a,
	0x10,
	0x69,
	0xc9,
	0xf8,
	0x46,
	0x31,
	0xb9,
	0xa9,
	0xda,
	0xcb,
	0x2f,
	0x80,
	0x9a,
	0x7f,
};

static void fill(uint8_t *bytes)
{
	for (unsigned i = 0; i < HASHED_BYTES; i++)
		bytes[i] = (uint8_t)(i % 251);
}

static int sha256_job(void *payload)
{
	static _Thread_local uint8_t bytes[HASHED_BYTES];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx state;

	if (bytes[1] == 0)
		fill(bytes);
	sha256_init(&state);
	sha256_update(&state, sizeof(bytes), bytes);
	sha256_digest(&state, sizeof(digest), digest);
	if (memcmp(digest, hashed_digest, sizeof(digest)) != 0)
		bench_die("a SHA-256 job got a wrong digest");
	return tally_job(payload);
}

const struct task task_sha256 = { .fn = sha256_job };
#endif

struct bare {
	int (*fn)(void *payload);
	uint64_t limit_ns;
	_Atomic uint64_t ids;
	double jobs_per_ns[BARE_THREADS];
};

static void run_bare(struct crew_member *me)
{
	struct bare *bare = me->shared;
	/* Volatile: the compiler must not see which function it is, as a pool does not. */
	int (*volatile hidden)(void *) = bare->fn;
	uint64_t now, jobs = 0;

	do {
		uint64_t id = atomic_fetch_add_explicit(&bare->ids, SLOW_ONE, memory_order_relaxed);

		for (unsigned i = 1; i <= SLOW_ONE; i++)
			if (hidden(tally_payload(id + i)) != 0)
				bench_die("a job failed");
		jobs += SLOW_ONE;
		now = bench_now_ns();
	} while (now - me->begin_ns < bare->limit_ns);
	bare->jobs_per_ns[me->index] = (double)jobs / (double)(now - me->begin_ns);
}

double task_bare_ns(const struct task *task, unsigned threads, bool brief)
{
	struct bare bare = { .fn = task->fn, .limit_ns = brief ? BARE_BRIEF_NS : BARE_NS };
	double jobs_per_ns = 0;
	struct crew crew;

	if (threads > BARE_THREADS)
		threads = BARE_THREADS;
	tally_begin(threads);
	crew_init(&crew, threads);
	for (unsigned i = 0; i < threads; i++)
		crew_add_producer(&crew, run_bare, &bare, i, -1);
	crew_open(&crew);
	crew_join(&crew);
	crew_fini(&crew);
	tally_check("bare job", atomic_load_explicit(&bare.ids, memory_order_relaxed));
	for (unsigned i = 0; i < threads; i++)
		jobs_per_ns += bare.jobs_per_ns[i];
	return threads / jobs_per_ns;
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void task_burn_ns(uint64_t ns)
{
	uint64_t end = thread_cpu_ns() + ns;

	while (thread_cpu_ns() < end)
		for (unsigned i = 0; i < 1000; i++)
			__asm__ volatile("" : : "r"(i));
}
