/* SPDX-License-Identifier: MIT */
/*
 * What every part of seg_bench shares: the parameters of one case, what one run of it yields, and
 * the description of a workload.
 *
 * seg_bench is a set of workloads. A workload with one choice of parameters is a case ("queue_mpmc,
 * 2 producers, 4 consumers"). The harness runs every case once per round, one after the other, and
 * repeats the round; so a machine that gets slower for a while hits all cases alike. Each round
 * also measures the raw limit (raw_limit.c), and a case is compared with the raw limit of its own
 * round.
 *
 * How to add a workload: one file with an essay on what it measures and what it does not, a
 * function that fills a struct bench_sample, a struct bench_workload, and a line in workloads.c.
 *
 * A run that finds a job lost or run twice, or that cannot get a thread or memory, ends the program
 * by bench_die: a benchmark of something that does not work has no result.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#ifndef BENCH_NAME
#define BENCH_NAME "seg_bench"
#endif
#ifndef BENCH_ABOUT
#define BENCH_ABOUT "wpool's queue and pool"
#endif

/* Two cache lines: the neighbouring line is fetched along with the one that was asked for. */
#define BENCH_ALONE 128

/* One case's parameters. 0 stands for the library's default, or for "does not apply". */
struct bench_params {
	unsigned producers;    /* threads that push or submit */
	unsigned workers;      /* workers of the pool, or threads that pop */
	uint32_t batch;        /* jobs per push or submit call */
	uint32_t segment_size; /* slots per segment */
	size_t capacity;       /* jobs the queue or pool holds */
	uint64_t rate;         /* jobs per second offered, where the workload keeps a schedule */
	uint64_t jobs;         /* jobs of one run */
	unsigned profile;      /* 1 + enum wp_profile of a pool */
	bool pin;              /* bind threads to CPUs */
	bool brief;            /* a warm-up round or --quick: waiting times are cut short */
};

/* A named value beside the time per job. */
struct bench_value {
	const char *name;
	const char *unit;
	double value;
};

#define BENCH_VALUES_MAX 20

/* What one run yields. */
struct bench_sample {
	uint64_t jobs;  /* that were run, each exactly once */
	double wall_ns; /* the timed region, from the first submit to the last job finished */
	double cpu_ns;  /* CPU time of the whole process over the same region */
	struct bench_value values[BENCH_VALUES_MAX];
	unsigned value_count;
};

/* What a workload is judged by. */
enum bench_kind {
	BENCH_TIME,   /* ns per job: a line of the table, with its ratio to the raw limit */
	BENCH_VALUES, /* its named values */
};

/*
 * The lists are in the form of the command line's ("1,2,4", "1..16"), and may contain the word
 * "cpus": as many as there are usable CPUs; NULL where the workload has no such parameter. A list
 * given on the command line takes the place of the workload's own.
 */
struct bench_workload {
	const char *name;
	const char *about; /* one line */
	enum bench_kind kind;
	const char *producers;
	const char *workers;
	const char *batch;
	const char *segment_size;
	const char *rates;
	uint64_t jobs;       /* per run, unless the command line says otherwise */
	uint64_t quick_jobs; /* the same with --quick */
	bool jobs_at_most;   /* each job takes so long that --jobs may only lower the number */
	bool profile;        /* it has a pool whose profile can be chosen */
	bool decades;        /* a case for each power of ten from 10^4 up to the number of jobs */
	bool costs;          /* its peak memory is measured; see costs.h */
	bool own_process;    /* a case of it runs in a child process; needs costs */
	void (*run)(const struct bench_params *params, struct bench_sample *sample);
};

/* All workloads, in the order in which they run and are printed; ends with NULL. */
extern const struct bench_workload *const bench_workloads[];

/* The one that every round begins with. */
extern const struct bench_workload bench_raw_limit;

void bench_sample_add(
	struct bench_sample *sample, const char *name, const char *unit, double value);

/* Prints "seg_bench: " and the text as one line on stderr and ends the program with status 1. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ascending. */
void bench_sort(double *values, size_t count);

/* Zeroed memory whose pages are touched, on a line of its own. Never NULL. Give it to free(). */
void *bench_alloc(size_t count, size_t size);

/* Whether the user asked to stop (SIGINT). Runs that wait for long look at it. */
bool bench_interrupted(void);

static inline uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CPU time that all threads of this process have used. */
static inline uint64_t bench_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_sleep_ns(uint64_t ns);

/* Tells the CPU that this is a waiting loop. */
static inline void bench_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
