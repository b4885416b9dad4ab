/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef WP_TEST_HOOKS
#include "hooks.h"
#define LIBRARY "the library with test hooks, disturbed at its labelled points"
#else
#define LIBRARY "the library as it is shipped"
#endif

/* A round that is as long as this has come to a standstill. */
#define STANDSTILL_NS UINT64_C(300000000000)
#define LAPS_MAX      4096u
#define SECOND        UINT64_C(1000000000)

static const char usage[] =
	"usage: soak [--seconds N] [--seed N] [--lap N] [--cpus X] [--no-stress]\n"
	"            [--lose N] [--duplicate N]\n"
	"\n"
	"Uses the library in every way there is, at random, and keeps a ledger of all jobs.\n"
	"\n"
	"  --seconds N    how long (10)\n"
	"  --seed N       of all random choices (from the clock)\n"
	"  --lap N        seconds between two measurements at rest (a sixtieth of all, 1 .. 60)\n"
	"  --cpus X       processor time it may use, in processors (no limit)\n"
	"  --no-stress    do not stop, move or demote threads\n"
	"  --lose N       pretend that N jobs were lost; --duplicate N: that N jobs ran twice\n"
	"\n"
	"The exit status is 0 when nothing was wrong, 1 when something was, 2 for a wrong option,\n"
	"3 when it came to a standstill.\n";

static struct settings {
	uint64_t seconds, seed, lap;
	double cpus;
	bool no_stress;
} settings = { .seconds = 10 };

static struct soak_reading readings[LAPS_MAX];
static uint64_t begun;

uint64_t soak_log_uniform(struct wp__rng *rng, unsigned lo, unsigned hi)
{
	uint64_t base = UINT64_C(1) << (lo + wp__rng_below(rng, hi - lo + 1));
	return base + wp__rng_below(rng, base);
}

static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void soak_breathe(void)
{
	if (settings.cpus <= 0)
		return;
	double may = settings.cpus * (double)(wp_now_ns() - begun) * 1e-9;
	double excess = cpu_seconds() - may;
	if (excess > 0)
		wp__os_sleep(excess > 0.05 ? 50000000 : (uint64_t)(excess * 1e9));
}

/* ---- options ---- */

static double number(const char *text, double most)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end || !(value >= 0) || value > most) {
		fprintf(stderr, "soak: not a number up to %.0f: %s\n%s", most, text, usage);
		exit(2);
	}
	return value;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = { { "seconds", 1, NULL, 's' },
		{ "seed", 1, NULL, 'r' }, { "lap", 1, NULL, 'l' }, { "cpus", 1, NULL, 'c' },
		{ "no-stress", 0, NULL, 'n' }, { "lose", 1, NULL, 'L' },
		{ "duplicate", 1, NULL, 'D' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	settings.seed = wp_now_ns();
	for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
		switch (c) {
		case 's':
			settings.seconds = (uint64_t)number(optarg, 1e8);
			break;
		case 'r':
			settings.seed = (uint64_t)number(optarg, 1e15);
			break;
		case 'l':
			settings.lap = (uint64_t)number(optarg, 1e6);
			break;
		case 'c':
			settings.cpus = number(optarg, 1e4);
			break;
		case 'n':
			settings.no_stress = true;
			break;
		case 'L':
			wp_store_rlx_u32(&soak_to_lose, (uint32_t)number(optarg, 1e6));
			break;
		case 'D':
			wp_store_rlx_u32(&soak_to_duplicate, (uint32_t)number(optarg, 1e6));
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc || settings.seconds == 0) {
		fputs(usage, stderr);
		exit(2);
	}
	if (settings.lap == 0)
		settings.lap = wp_min_u64(wp_max_u64(settings.seconds / 60, 1), 60);
	while (settings.seconds / settings.lap >= LAPS_MAX)
		settings.lap *= 2;
}

/* ---- laps ---- */

static void *run_arena(void *arg)
{
	struct soak_arena *arena = arg;
	while (wp_now_ns() < arena->lap_end) {
		if (wp__rng_below(&arena->rng, 5) == 0)
			soak_queue_round(arena);
		else
			soak_pool_round(arena);
	}
	wp_add_rlx_u64(&arena->rounds, 1);
	wp_store_rel_u32(&arena->enough, 2);
	return NULL;
}

static void show_standstill(struct soak_arena *arena)
{
	printf("STANDSTILL: %s\n", arena->what);
	struct wp_stats s = WP_STATS_INIT;
	if (arena->pool && wp_pool_stats(arena->pool, &s) == 0)
		printf("  submitted %llu, completed %llu, dropped %llu, queued %llu, running %llu; "
		       "workers: %u alive, %u busy, %u idle\n",
			(unsigned long long)s.submitted, (unsigned long long)s.completed,
			(unsigned long long)s.dropped, (unsigned long long)s.queued,
			(unsigned long long)s.running, s.workers_alive, s.workers_busy,
			s.workers_idle);
	if (arena->queue)
		printf("  inside %zu\n", wp_queue_depth(arena->queue));
	fflush(stdout);
}

/* Until all arenas have ended their lap; ends the program when one makes no progress. */
static void watch(void)
{
	uint64_t rounds[SOAK_ARENAS] = { 0 }, since[SOAK_ARENAS];
	for (unsigned i = 0; i < SOAK_ARENAS; i++)
		since[i] = wp_now_ns();
	for (unsigned ended = 0; ended < SOAK_ARENAS;) {
		wp__os_sleep(10000000);
		ended = 0;
		for (unsigned i = 0; i < SOAK_ARENAS; i++) {
			struct soak_arena *arena = &soak_arenas[i];
			uint64_t now = wp_load_rlx_u64(&arena->rounds);
			if (now != rounds[i]) {
				rounds[i] = now;
				since[i] = wp_now_ns();
			}
			if (wp_load_acq_u32(&arena->enough) == 2) {
				ended++;
			} else if (wp_now_ns() - since[i] > STANDSTILL_NS) {
				show_standstill(arena);
				_exit(3);
			}
		}
	}
}

static void disturb_points(struct wp__rng *rng)
{
#ifdef WP_TEST_HOOKS
	static const uint64_t first[] = { 0, UINT64_C(0xffff0000), UINT64_C(1) << 40 };
	wp__set_first_ticket(first[wp__rng_below(rng, 3)]);
	if (wp__rng_below(rng, 3) == 0)
		wp__chaos(0, 0, 0);
	else
		wp__chaos(wp__rng_next(rng), (unsigned)wp__rng_below(rng, 64),
			(unsigned)wp__rng_below(rng, 4));
#else
	(void)rng;
#endif
}

static void run_lap(struct wp__rng *rng, struct soak_stress *stress)
{
	uint64_t end = wp_after_ns(settings.lap * SECOND);
	disturb_points(rng);
	for (unsigned i = 0; i < SOAK_ARENAS; i++) {
		struct soak_arena *arena = &soak_arenas[i];
		arena->number = i;
		arena->rng.state = wp__rng_next(rng);
		arena->lap_end = end;
		wp_store_rlx_u32(&arena->enough, 0);
		if (wp__os_thread_create(&arena->thread, 0, run_arena, arena) != 0) {
			fprintf(stderr, "soak: no thread for an arena\n");
			exit(1);
		}
	}
	soak_stress_set(stress, true);
	watch();
	soak_stress_set(stress, false);
	for (unsigned i = 0; i < SOAK_ARENAS; i++)
		wp__os_thread_join(&soak_arenas[i].thread);
#ifdef WP_TEST_HOOKS
	wp__chaos(0, 0, 0);
#endif
}

static struct soak_totals add_up(void)
{
	struct soak_totals sum;
	memset(&sum, 0, sizeof(sum));
	for (unsigned i = 0; i < SOAK_ARENAS; i++) {
		const struct soak_totals *t = &soak_arenas[i].totals;
		sum.pools += t->pools;
		sum.queues += t->queues;
		sum.accepted += t->accepted;
		sum.popped += t->popped;
		sum.completed += t->completed;
		sum.cancelled += t->cancelled;
		sum.dropped += t->dropped;
		sum.nested += t->nested;
		sum.parks += t->parks;
		sum.rescues += t->rescues;
		sum.replaced += t->replaced;
		for (unsigned k = 0; k < SOAK_KINDS; k++)
			sum.count[k] += t->count[k];
		sum.events += t->events;
		sum.found.lost += t->found.lost;
		sum.found.duplicated += t->found.duplicated;
		for (unsigned m = 0; m < 8; m++)
			sum.by_manner[m] += t->by_manner[m];
	}
	return sum;
}

/* ---- the report ---- */

enum figure { RESIDENT, RESERVED, HEAP, WAIT_P50, WAIT_P99, JOB_NS, FIGURES };

static double figure_of(const struct soak_reading *r, enum figure figure)
{
	switch (figure) {
	case RESIDENT:
		return (double)r->resident / 1024;
	case RESERVED:
		return (double)r->reserved / 1024;
	case HEAP:
		return (double)r->heap / 1024;
	case WAIT_P50:
		return (double)r->wait_p50 / 1000;
	case WAIT_P99:
		return (double)r->wait_p99 / 1000;
	default:
		return r->job_ns;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The median of a figure over the readings from .. to-1. */
static double median(enum figure figure, unsigned from, unsigned to)
{
	static double values[LAPS_MAX];
	unsigned n = 0;
	for (unsigned i = from; i < to; i++)
		values[n++] = figure_of(&readings[i], figure);
	qsort(values, n, sizeof(values[0]), by_value);
	return n ? values[n / 2] : 0;
}

/*
 * How much memory may grow from the first quarter to the last, in KiB, besides a tenth: glibc keeps
 * up to 40 MiB of address space for stacks of threads that have ended, and their touched pages. A
 * leak in every round is far more than that after an hour.
 */
static const double tolerated[] = { [RESIDENT] = 8192, [RESERVED] = 65536, [HEAP] = 256 };

static void show_drift(unsigned laps)
{
	static const char *const names[FIGURES] = { "resident memory, KiB", "address space, KiB",
		"heap in use, KiB", "submit_wait p50, us", "submit_wait p99, us",
		"empty job, submit to finished, ns" };
	/* The first lap warms up. */
	unsigned first = laps > 1 ? 1 : 0, quarter = wp_max_u64((laps - first) / 4, 1) & 0xffff;
	printf("at rest between laps: median of the first quarter -> of the last\n");
	for (unsigned f = 0; f < FIGURES; f++) {
		double before = median((enum figure)f, first, first + quarter);
		double after = median((enum figure)f, laps - quarter, laps);
		printf("  %-34s %12.1f -> %12.1f (%+.1f %%)\n", names[f], before, after,
			before > 0 ? (after / before - 1) * 100 : 0);
		if (f <= HEAP && after > before * 1.1 + tolerated[f])
			soak_complain("%s grew from %.0f to %.0f", names[f], before, after);
	}
	const struct soak_reading *a = &readings[first], *z = &readings[laps - 1];
	printf("  threads %u -> %u, open files %u -> %u\n", a->threads, z->threads, a->files,
		z->files);
	if (z->threads > a->threads || z->files > a->files)
		soak_complain("threads or files are left over");
}

#define U(n) ((unsigned long long)(n))

/* Each accepted job came to one end. */
static void show_ends(const struct soak_totals *t)
{
	uint64_t ends[] = { t->completed, t->count[SOAK_FAILED], t->count[SOAK_PANICKED],
		t->cancelled, t->dropped, t->popped };
	static const char *const names[] = { "completed", "failed", "panicked", "cancelled",
		"dropped by a stop", "taken from a bare queue" };
	uint64_t sum = 0;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		printf("%14llu %s\n", U(ends[i]), names[i]);
		sum += ends[i];
	}
	if (sum != t->accepted)
		soak_complain(
			"%llu jobs were accepted and %llu came to an end", U(t->accepted), U(sum));
}

static void show_jobs(const struct soak_totals *t, uint64_t ns)
{
	double seconds = (double)ns * 1e-9;
	const uint64_t *n = t->count;
	printf("%.0f s, %.0f s of processor time\n", seconds, cpu_seconds());
	printf("jobs        %llu accepted (%.0f a second), all of them\n", U(t->accepted),
		(double)t->accepted / seconds);
	show_ends(t);
	printf("refused     %llu, and %llu by a commit; %llu calls from inside a job\n",
		U(n[SOAK_REFUSED]), U(n[SOAK_BOUNCED]), U(t->nested));
	printf("gave up     %llu ended their thread, %llu by a contained fault\n", U(n[SOAK_ENDED]),
		U(n[SOAK_FAULTED]));
	printf("producers   %llu opened; %llu jobs by their lanes, %llu of them committed\n",
		U(n[SOAK_LANES]), U(n[SOAK_BY_LANE]), U(n[SOAK_COMMITTED]));
	printf("contexts    %llu made, %llu cancels, %llu callbacks called\n", U(n[SOAK_CONTEXTS]),
		U(n[SOAK_CANCELS]), U(n[SOAK_TOLD]));
	printf("workers     parked %llu times, rescued %llu batches, %llu replaced\n", U(t->parks),
		U(t->rescues), U(t->replaced));
	printf("rounds      %llu pools, %llu queues\n", U(t->pools), U(t->queues));
	for (unsigned m = 0; m < 7; m++)
		printf("            %llu %s\n", U(t->by_manner[m]), soak_manners[m]);
	printf("events      %llu\n", U(t->events));
	printf("lost        %llu\n", U(t->found.lost));
	printf("duplicated  %llu\n", U(t->found.duplicated));
}

static void show_stress(struct soak_stress *stress)
{
	if (!stress) {
		printf("stress      none\n");
		return;
	}
	printf("stress      threads stopped %llu times for %.0f s in all, moved %llu times, "
	       "demoted %llu times\n",
		(unsigned long long)wp_load_rlx_u64(&stress->pauses),
		(double)wp_load_rlx_u64(&stress->paused_ns) * 1e-9,
		(unsigned long long)wp_load_rlx_u64(&stress->moves),
		(unsigned long long)wp_load_rlx_u64(&stress->demotions));
	uint32_t refused = wp_load_rlx_u32(&stress->refused);
	if (refused)
		printf("            threads cannot be stopped here: %s\n",
			strerror((int)refused - 1));
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	/* Else address space grows by an arena now and then, for as long as threads come and go. */
	mallopt(M_ARENA_MAX, 1);
	struct wp__rng rng = { settings.seed };
	struct soak_stress *stress =
		settings.no_stress ? NULL : soak_stress_start(wp__rng_next(&rng));
	printf("soak: %s, %llu s in laps of %llu s, seed %llu, %u processors\n", LIBRARY,
		(unsigned long long)settings.seconds, (unsigned long long)settings.lap,
		(unsigned long long)settings.seed, wp_usable_cpus());
	fflush(stdout);
	begun = wp_now_ns();
	unsigned laps = 0;
	for (uint64_t end = begun + settings.seconds * SECOND; wp_now_ns() < end;) {
		run_lap(&rng, stress);
		struct soak_reading *r = &readings[laps];
		soak_read(r);
		laps += laps + 1 < LAPS_MAX;
		struct soak_totals t = add_up();
		printf("%6.0f s  %llu jobs, %llu rounds, %llu lost, %llu duplicated; %.1f MiB, "
		       "p50 %.1f us, p99 %.1f us, %.1f ns\n",
			(double)(wp_now_ns() - begun) * 1e-9, (unsigned long long)t.accepted,
			(unsigned long long)(t.pools + t.queues), (unsigned long long)t.found.lost,
			(unsigned long long)t.found.duplicated, (double)r->resident / 1048576,
			(double)r->wait_p50 / 1000, (double)r->wait_p99 / 1000, r->job_ns);
		fflush(stdout);
	}
	soak_stress_stop(stress);
	struct soak_totals totals = add_up();
	show_jobs(&totals, wp_now_ns() - begun);
	show_stress(stress);
	show_drift(laps);
	uint64_t wrong = soak_complaints();
	printf(wrong ? "soak: %llu things were wrong\n" : "soak: nothing was wrong\n",
		(unsigned long long)wrong);
	return wrong != 0;
}
