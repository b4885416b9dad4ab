/* SPDX-License-Identifier: MIT */
/* The part of the table for workloads that are not judged by ns per job. */
#include <string.h>

#include <wpool/wpool.h>

#include "report.h"

const char *report_duration(double ns, char *buffer, size_t size)
{
	if (ns < 999.5)
		snprintf(buffer, size, "%.0f ns", ns);
	else if (ns < 999500)
		snprintf(buffer, size, "%.2f us", ns / 1e3);
	else
		snprintf(buffer, size, "%.2f ms", ns / 1e6);
	return buffer;
}

static void format_value(double value, const char *unit, char *buffer, size_t size)
{
	if (strcmp(unit, "ns") == 0)
		report_duration(value, buffer, size);
	else if (value < 1e15 && value >= 0 && value == (double)(uint64_t)value)
		snprintf(buffer, size, "%llu", (unsigned long long)value);
	else
		snprintf(buffer, size, "%.2f", value);
}

const char *report_value(double value, const char *unit, char *buffer, size_t size)
{
	size_t length;

	format_value(value, unit, buffer, size);
	length = strlen(buffer);
	if (strcmp(unit, "ns") != 0 && unit[0] != '\0')
		snprintf(buffer + length, size - length, " %s", unit);
	return buffer;
}

/* "2 producers, 4 workers, 256 slots/segment" */
static void print_case(const struct bench_result *result, FILE *out)
{
	const struct bench_params *p = &result->params;
	char text[32];

	const char *comma = "  ";

	if (result->workload->producers != NULL) {
		fprintf(out, "%s%u producer%s", comma, p->producers, p->producers == 1 ? "" : "s");
		comma = ", ";
	}
	if (result->workload->workers != NULL) {
		fprintf(out, "%s%u worker%s", comma, p->workers, p->workers == 1 ? "" : "s");
		comma = ", ";
	}
	if (p->segment_size != 0)
		fprintf(out, "%s%u slots/segment", comma, p->segment_size);
	if (p->profile != 0)
		fprintf(out, "%s%s", comma, wp_profile_name((enum wp_profile)(p->profile - 1)));
	if (p->rate != 0)
		fprintf(out, "%s%s jobs/s", comma, numbers_short(p->rate, text, sizeof(text)));
	else
		fprintf(out, "%s%s jobs", comma, numbers_short(p->jobs, text, sizeof(text)));
}

static void print_values(const struct bench_result *result, FILE *out)
{
	print_case(result, out);
	fputc('\n', out);
	for (unsigned i = 0; i < result->samples[0].value_count; i++) {
		const struct bench_value *value = &result->samples[0].values[i];
		struct spread s = harness_value(result, i);
		char text[3][32];

		format_value(s.min, value->unit, text[0], sizeof(text[0]));
		format_value(s.median, value->unit, text[1], sizeof(text[1]));
		format_value(s.max, value->unit, text[2], sizeof(text[2]));
		fprintf(out, "    %-24s %12s %12s %12s %s\n", value->name, text[0], text[1],
			text[2], strcmp(value->unit, "ns") == 0 ? "" : value->unit);
	}
}

/* Five percentiles a line, first from the due time, then from the call. */
static void print_latency(const struct bench_result *result, FILE *out)
{
	print_case(result, out);
	fputc('\n', out);
	for (unsigned line = 0; line < 2; line++) {
		fprintf(out, "    %-24s", line == 0 ? "from the due time" : "from the call");
		for (unsigned i = 0; i < 5; i++) {
			struct spread s = harness_value(result, line * 5 + i);
			char text[32];

			/* The largest of all runs is the largest; of percentiles, the median. */
			report_duration(i == 4 ? s.max : s.median, text, sizeof(text));
			fprintf(out, " %11s", text);
		}
		fputc('\n', out);
	}
	fprintf(out, "    %-24s", "cost");
	for (unsigned i = 10; i < result->samples[0].value_count; i++) {
		const struct bench_value *value = &result->samples[0].values[i];
		char text[32];

		report_value(harness_value(result, i).median, value->unit, text, sizeof(text));
		fprintf(out, "%s %s: %s", i == 10 ? "" : ",", value->name, text);
	}
	fputc('\n', out);
}

static bool is_latency(const struct bench_result *result)
{
	return result->runs != 0 && result->samples[0].value_count > 10 &&
	       strcmp(result->samples[0].values[0].name, "due p50") == 0;
}

void report_values(const struct harness *h, FILE *out)
{
	const struct bench_workload *previous = NULL;

	for (size_t i = 0; i < h->count; i++) {
		const struct bench_result *result = &h->results[i];
		bool latency = is_latency(result);

		if (result->workload->kind != BENCH_VALUES || result->runs == 0)
			continue;
		if (result->workload != previous) {
			fprintf(out, "\n%s: %s\n", result->workload->name, result->workload->about);
			if (latency)
				fprintf(out, "%-28s %11s %11s %11s %11s %11s\n", "", "p50", "p90",
					"p99", "p99.9", "max");
			else
				fprintf(out, "%-28s %12s %12s %12s\n", "", "min", "median", "max");
		}
		previous = result->workload;
		if (latency)
			print_latency(result, out);
		else
			print_values(result, out);
	}
}
