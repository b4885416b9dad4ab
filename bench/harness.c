/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wpool/wpool.h>

#include "costs.h"

#define DECADE_FIRST 10000u
#define DECADE_LAST  100000000u

static void add_case(
	struct harness *h, const struct bench_workload *workload, struct bench_params params)
{
	struct bench_result *result;

	h->results = realloc(h->results, (h->count + 1) * sizeof(*h->results));
	if (h->results == NULL)
		bench_die("out of memory");
	result = &h->results[h->count++];
	result->workload = workload;
	result->params = params;
	result->samples = bench_alloc(h->runs_wanted, sizeof(*result->samples));
	result->runs = 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* A list of a workload's own; what "cpus" stands for is sorted in, unless it is there already. */
static struct numbers own_list(const char *own)
{
	struct numbers list = { 0 };
	const char *cpus = strstr(own, "cpus");
	char text[128];
	size_t kept = 0;

	snprintf(text, sizeof(text), "%s", own);
	if (cpus != NULL)
		snprintf(text, sizeof(text), "%.*s%u%s", (int)(cpus - own), own, wp_usable_cpus(),
			cpus + strlen("cpus"));
	if (!numbers_parse_list(text, 0, UINT64_MAX, &list))
		bench_die("a workload's list '%s' is malformed", own);
	if (cpus == NULL)
		return list;
	qsort(list.values, list.count, sizeof(list.values[0]), by_number);
	for (size_t i = 0; i < list.count; i++)
		if (i == 0 || list.values[i] != list.values[kept - 1])
			list.values[kept++] = list.values[i];
	list.count = kept;
	return list;
}

/* The command line's list if it has one and the workload uses it, else the workload's own. */
static struct numbers choose(const struct numbers *given, const char *own)
{
	struct numbers list = { .count = 1 };

	if (own == NULL)
		return list;
	if (given != NULL && given->count != 0)
		return *given;
	return own_list(own);
}

static struct numbers choose_jobs(const struct args *args, const struct bench_workload *workload)
{
	struct numbers list = { .count = 1 };
	uint64_t jobs = args->quick ? workload->quick_jobs : workload->jobs;

	/* The yardstick stays the same, however few jobs are measured with it. */
	if (args->jobs != 0 && workload != &bench_raw_limit &&
		(!workload->jobs_at_most || args->jobs < jobs))
		jobs = args->jobs;
	list.values[0] = jobs;
	if (workload->decades && jobs >= DECADE_FIRST) {
		list.count = 0;
		for (uint64_t n = DECADE_FIRST; n <= jobs && n <= DECADE_LAST; n *= 10)
			list.values[list.count++] = n;
	}
	return list;
}

/* All combinations of the lists, the last of them changing fastest. */
static void add_workload(
	struct harness *h, const struct args *args, const struct bench_workload *workload)
{
	enum { PRODUCERS, WORKERS, BATCH, SEGMENT, PROFILE, RATE, JOBS, LISTS };
	struct numbers lists[LISTS] = {
		[PRODUCERS] = choose(&args->producers, workload->producers),
		[WORKERS] = choose(&args->workers, workload->workers),
		[BATCH] = choose(&args->batch, workload->batch),
		[SEGMENT] = choose(&args->segment_size, workload->segment_size),
		[PROFILE] = choose(&args->profiles, workload->profile ? "0" : NULL),
		[RATE] = choose(NULL, workload->rates),
		[JOBS] = choose_jobs(args, workload),
	};
	size_t at[LISTS] = { 0 };

	for (;;) {
		int list = LISTS - 1;

		add_case(h, workload,
			(struct bench_params){
				.producers = (unsigned)lists[PRODUCERS].values[at[PRODUCERS]],
				.workers = (unsigned)lists[WORKERS].values[at[WORKERS]],
				.batch = (uint32_t)lists[BATCH].values[at[BATCH]],
				.segment_size = (uint32_t)lists[SEGMENT].values[at[SEGMENT]],
				.profile = (unsigned)lists[PROFILE].values[at[PROFILE]],
				.capacity = args->capacity,
				.rate = lists[RATE].values[at[RATE]],
				.jobs = lists[JOBS].values[at[JOBS]],
				.pin = args->pin,
				.brief = args->quick,
			});
		while (list >= 0 && ++at[list] == lists[list].count)
			at[list--] = 0;
		if (list < 0)
			return;
	}
}

void harness_plan(struct harness *h, const struct args *args)
{
	memset(h, 0, sizeof(*h));
	h->runs_wanted = args->runs;
	add_workload(h, args, &bench_raw_limit);
	for (size_t i = 0; bench_workloads[i] != NULL; i++)
		if (bench_workloads[i] != &bench_raw_limit &&
			args_selects(args, bench_workloads[i]))
			add_workload(h, args, bench_workloads[i]);
}

/* Round 0 is the warm-up. */
static void tell_progress(const struct harness *h, unsigned round, size_t number)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kround %u of %u, case %zu of %zu: %s", round,
			h->runs_wanted, number + 1, h->count, h->results[number].workload->name);
}

void harness_run(struct harness *h)
{
	for (unsigned round = 0; round <= h->runs_wanted; round++) {
		for (size_t i = 0; i < h->count; i++) {
			struct bench_result *result = &h->results[i];
			struct bench_params params = result->params;
			struct bench_sample sample;

			memset(&sample, 0, sizeof(sample));
			params.brief = params.brief || round == 0;
			tell_progress(h, round, i);
			if (result->workload->costs)
				costs_run(result->workload, &params, &sample);
			else
				result->workload->run(&params, &sample);
			if (bench_interrupted())
				goto out;
			if (round != 0)
				result->samples[result->runs++] = sample;
		}
	}
	h->complete = true;
out:
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

void harness_fini(struct harness *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->results[i].samples);
	free(h->results);
}

/* Sorts the values. */
static struct spread spread_of(double *values, unsigned count)
{
	struct spread s = { 0, 0, 0 };

	if (count == 0)
		return s;
	bench_sort(values, count);
	s.min = values[0];
	s.max = values[count - 1];
	s.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	return s;
}

/* The spread of what `of` says about each sample; argument is handed on. */
static struct spread spread_over(const struct bench_result *result, unsigned runs,
	double (*of)(const struct bench_result *, unsigned run, const void *argument),
	const void *argument)
{
	double *values = bench_alloc(runs + 1, sizeof(*values));
	struct spread s;

	for (unsigned i = 0; i < runs; i++)
		values[i] = of(result, i, argument);
	s = spread_of(values, runs);
	free(values);
	return s;
}

double harness_ns_per_job(const struct bench_sample *sample)
{
	return sample->jobs == 0 ? 0 : sample->wall_ns / (double)sample->jobs;
}

static double time_of(const struct bench_result *result, unsigned run, const void *argument)
{
	(void)argument;
	return harness_ns_per_job(&result->samples[run]);
}

static double cpu_of(const struct bench_result *result, unsigned run, const void *argument)
{
	const struct bench_sample *sample = &result->samples[run];

	(void)argument;
	return sample->jobs == 0 ? 0 : sample->cpu_ns / (double)sample->jobs;
}

static double value_of(const struct bench_result *result, unsigned run, const void *argument)
{
	return result->samples[run].values[*(const unsigned *)argument].value;
}

static double ratio_of(const struct bench_result *result, unsigned run, const void *argument)
{
	const struct bench_result *base = argument;
	double denominator = harness_ns_per_job(&base->samples[run]);

	return denominator > 0 ? harness_ns_per_job(&result->samples[run]) / denominator : 0;
}

struct spread harness_time(const struct bench_result *result)
{
	return spread_over(result, result->runs, time_of, NULL);
}

struct spread harness_cpu(const struct bench_result *result)
{
	return spread_over(result, result->runs, cpu_of, NULL);
}

struct spread harness_value(const struct bench_result *result, unsigned value)
{
	return spread_over(result, result->runs, value_of, &value);
}

struct spread harness_ratio(const struct bench_result *result, const struct bench_result *base)
{
	return spread_over(
		result, result->runs < base->runs ? result->runs : base->runs, ratio_of, base);
}
