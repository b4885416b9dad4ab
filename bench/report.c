/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <string.h>

#include <wpool/wpool.h>

#define TABLE_COLUMNS 100

/* Three to four digits that matter, in at most 8 characters. */
static const char *figure(double value, char *buffer, size_t size)
{
	int digits = value < 99.995 ? 2 : value < 9999.95 ? 1 : 0;

	snprintf(buffer, size, "%.*f", digits, value);
	return buffer;
}

static const char *rate(double per_second, char *buffer, size_t size)
{
	if (per_second >= 1e6)
		snprintf(buffer, size, "%.1f M", per_second / 1e6);
	else if (per_second >= 1e3)
		snprintf(buffer, size, "%.1f k", per_second / 1e3);
	else
		snprintf(buffer, size, "%.0f", per_second);
	return buffer;
}

/* "-" for a parameter that the workload does not have. */
static const char *parameter(const char *list, uint64_t value, char *buffer, size_t size)
{
	if (list == NULL || value == 0)
		return "-";
	return numbers_short(value, buffer, size);
}

static void print_heading(const struct harness *h, FILE *out)
{
	fprintf(out,
		"ns per job over %u run%s; P producers, W workers or consumers, k jobs per call, "
		"slots/segment\n",
		h->results[0].runs, h->results[0].runs == 1 ? "" : "s");
	fprintf(out, "%-18s %3s %3s %5s %5s %5s %8s %8s %8s %8s %8s %7s\n", "workload", "P", "W",
		"k", "slots", "jobs", "min", "median", "max", "jobs/s", "CPU", "x raw");
}

/* The medians of the other values, as many to a line as fit. */
static void print_extra(const struct bench_result *result, FILE *out)
{
	int column = 0;

	if (result->params.profile != 0)
		column = fprintf(out, "%22sprofile %s", "",
			wp_profile_name((enum wp_profile)(result->params.profile - 1)));
	for (unsigned i = 0; i < result->samples[0].value_count; i++) {
		const struct bench_value *value = &result->samples[0].values[i];
		char number[32], text[TABLE_COLUMNS];
		int length;

		report_value(harness_value(result, i).median, value->unit, number, sizeof(number));
		length = snprintf(text, sizeof(text), "%s %s", value->name, number);
		if (column + length + 2 > TABLE_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, column == 0 ? "%22s%s" : "; %s%s", "", text);
	}
	if (column != 0)
		fputc('\n', out);
}

static void print_row(const struct bench_result *result, const struct bench_result *raw,
	const char *name, FILE *out)
{
	const struct bench_workload *w = result->workload;
	const struct bench_params *p = &result->params;
	struct spread time = harness_time(result);
	char text[11][32];

	fprintf(out, "%-18s %3s %3s %5s %5s %5s %8s %8s %8s %8s %8s %7s\n", name,
		parameter(w->producers, p->producers, text[0], sizeof(text[0])),
		parameter(w->workers, p->workers, text[1], sizeof(text[1])),
		parameter(w->batch, p->batch, text[2], sizeof(text[2])),
		parameter(w->segment_size, p->segment_size, text[3], sizeof(text[3])),
		numbers_short(p->jobs, text[4], sizeof(text[4])),
		figure(time.min, text[5], sizeof(text[5])),
		figure(time.median, text[6], sizeof(text[6])),
		figure(time.max, text[7], sizeof(text[7])),
		rate(time.median > 0 ? 1e9 / time.median : 0, text[8], sizeof(text[8])),
		figure(harness_cpu(result).median, text[9], sizeof(text[9])),
		figure(harness_ratio(result, raw).median, text[10], sizeof(text[10])));
	print_extra(result, out);
}

void report_table(const struct harness *h, FILE *out)
{
	const struct bench_workload *previous = NULL;
	struct report_note notes[REPORT_NOTES_MAX];
	size_t count;

	print_heading(h, out);
	for (size_t i = 0; i < h->count; i++) {
		const struct bench_result *result = &h->results[i];

		if (result->workload->kind != BENCH_TIME || result->runs == 0)
			continue;
		print_row(result, &h->results[0],
			result->workload == previous ? "" : result->workload->name, out);
		previous = result->workload;
	}
	report_values(h, out);
	count = report_notes(h, notes);
	if (count != 0)
		fputc('\n', out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s\n", notes[i].text);
}

/* The case of a workload with these numbers of producers and workers, NULL if it was not run. */
static const struct bench_result *find(
	const struct harness *h, const char *workload, unsigned producers, unsigned workers)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct bench_result *r = &h->results[i];

		if (strcmp(r->workload->name, workload) == 0 && r->runs != 0 &&
			r->params.producers == producers && r->params.workers == workers)
			return r;
	}
	return NULL;
}

/* For each number of producers: the case with the most workers against the one with one. */
static size_t note_scaling(const struct harness *h, struct report_note *notes, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count && count < room; i++) {
		const struct bench_result *one = &h->results[i], *most = one;

		if (strcmp(one->workload->name, "pool_empty") != 0 || one->runs == 0 ||
			one->params.workers != 1)
			continue;
		for (size_t j = i; j < h->count; j++) {
			const struct bench_result *r = &h->results[j];

			if (r->workload == one->workload && r->runs != 0 &&
				r->params.producers == one->params.producers &&
				r->params.segment_size == one->params.segment_size &&
				r->params.workers > most->params.workers)
				most = r;
		}
		if (most == one)
			continue;
		notes[count].name = "worker_scaling";
		notes[count].value = harness_ratio(most, one).median;
		snprintf(notes[count].text, sizeof(notes[count].text),
			"worker scaling: with %u producer%s a job costs %.2f x as much with %u "
			"workers as with 1",
			one->params.producers, one->params.producers == 1 ? "" : "s",
			notes[count].value, most->params.workers);
		count++;
	}
	return count;
}

/* How far the decades of `growth` lie apart. */
static size_t note_growth(const struct harness *h, struct report_note *note)
{
	double least = 0, most = 0;
	size_t decades = 0;

	for (size_t i = 0; i < h->count; i++) {
		double median;

		if (strcmp(h->results[i].workload->name, "growth") != 0 || h->results[i].runs == 0)
			continue;
		median = harness_time(&h->results[i]).median;
		if (decades == 0 || median < least)
			least = median;
		if (decades == 0 || median > most)
			most = median;
		decades++;
	}
	if (decades < 2 || least <= 0)
		return 0;
	note->name = "growth_spread";
	note->value = most / least;
	snprintf(note->text, sizeof(note->text),
		"growth: the dearest decade costs %.2f x the cheapest", note->value);
	return 1;
}

/* The dearest case of a workload against the cheapest. */
static size_t note_grid(
	const struct harness *h, const char *workload, const char *name, struct report_note *note)
{
	const struct bench_result *best = NULL, *worst = NULL;

	for (size_t i = 0; i < h->count; i++) {
		const struct bench_result *r = &h->results[i];

		if (strcmp(r->workload->name, workload) != 0 || r->runs == 0)
			continue;
		if (best == NULL || harness_time(r).median < harness_time(best).median)
			best = r;
		if (worst == NULL || harness_time(r).median > harness_time(worst).median)
			worst = r;
	}
	if (best == worst)
		return 0;
	note->name = name;
	note->value = harness_ratio(worst, best).median;
	snprintf(note->text, sizeof(note->text),
		"%s: a job costs %.2f x as much with P %u, W %u as with P %u, W %u", workload,
		note->value, worst->params.producers, worst->params.workers, best->params.producers,
		best->params.workers);
	return 1;
}

static size_t note_pacing(const struct harness *h, struct report_note *note)
{
	const struct bench_result *paced = find(h, "queue_mpmc", 1, 1);
	const struct bench_result *unpaced = find(h, "queue_mpmc_unpaced", 1, 1);

	if (paced == NULL || unpaced == NULL)
		return 0;
	note->name = "pacing_gain";
	note->value = harness_ratio(unpaced, paced).median;
	snprintf(note->text, sizeof(note->text),
		"pacing: 1 producer and 1 consumer cost %.2f x as much without it", note->value);
	return 1;
}

size_t report_notes(const struct harness *h, struct report_note *notes)
{
	size_t count = note_scaling(h, notes, REPORT_NOTES_MAX - 6);

	count += note_growth(h, &notes[count]);
	count += note_pacing(h, &notes[count]);
	count += note_grid(h, "crowd", "crowd_spread", &notes[count]);
	count += note_grid(h, "crowd_lanes", "crowd_lanes_spread", &notes[count]);
	count += note_grid(h, "idle_lanes", "idle_lanes_spread", &notes[count]);
	count += note_grid(h, "idle_lanes_shared", "idle_lanes_shared_spread", &notes[count]);
	return count;
}
