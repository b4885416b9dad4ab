/* SPDX-License-Identifier: MIT */
/*
 * The JSON file: everything that was measured, so that any other figure can be computed later.
 *
 * {
 *   "format": "seg_bench/1", "complete": whether all rounds were run,
 *   "machine": { the card }, "options": { what the command line asked for },
 *   "results": [ one object per case:
 *     { "workload", "params": {...}, "kind": "time" | "values",
 *       "runs": [ { "jobs", "wall_ns", "cpu_ns", "ns_per_job", "ratio_to_raw_limit",
 *                   "values": { name: number } } ],
 *       "ns_per_job": { min, median, max }, "cpu_ns_per_job": {...}, "jobs_per_second": median,
 *       "ratio_to_raw_limit": {...}, "values": { name: { unit, min, median, max } } } ],
 *   "notes": [ { "name", "value", "text" } ]
 * }
 *
 * Times are nanoseconds. A parameter that is null was left to the library or does not apply. Runs
 * of the same index belong to the same round. Cases without a finished run are left out.
 */
#include <wpool/wpool.h>

#include "report.h"

static void string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void text_field(FILE *out, const char *name, const char *text)
{
	fprintf(out, "    \"%s\": ", name);
	string(out, text);
	fputs(",\n", out);
}

static void spread(FILE *out, const struct spread *s)
{
	fprintf(out, "{ \"min\": %.6g, \"median\": %.6g, \"max\": %.6g }", s->min, s->median,
		s->max);
}

static void machine(FILE *out, const struct card *card)
{
	fputs("  \"machine\": {\n", out);
	text_field(out, "cpu", card->cpu);
	text_field(out, "caches", card->caches);
	text_field(out, "kernel", card->kernel);
	text_field(out, "governor", card->governor);
	text_field(out, "clocksource", card->clocksource);
	text_field(out, "compiler", card->compiler);
	text_field(out, "flags", card->flags);
	text_field(out, "wpool_version", card->wpool_version);
	text_field(out, "revision", card->revision);
	text_field(out, "date", card->date);
	text_field(out, "others", card->others);
	fprintf(out, "    \"cpus_online\": %u,\n    \"cpus_usable\": %u,\n", card->cpus_online,
		card->cpus_usable);
	fprintf(out, "    \"load\": [%.2f, %.2f, %.2f],\n", card->load[0], card->load[1],
		card->load[2]);
	fprintf(out, "    \"cpus_used_by_others_before\": %.3f,\n", card->others_before);
	fprintf(out, "    \"cpus_used_by_others_during\": %.3f,\n", card->others_during);
	fprintf(out, "    \"cpus_stolen_by_host_during\": %.3f,\n", card->stolen_during);
	fprintf(out, "    \"disturbed\": %s,\n    \"pinned\": %s\n  },\n",
		card->disturbed ? "true" : "false", card->pinned ? "true" : "false");
}

static void options(FILE *out, const struct args *args)
{
	fprintf(out, "  \"options\": { \"runs\": %u, \"quick\": %s, \"pin\": %s, \"filter\": ",
		args->runs, args->quick ? "true" : "false", args->pin ? "true" : "false");
	if (args->filter != NULL)
		string(out, args->filter);
	else
		fputs("null", out);
	fputs(" },\n", out);
}

static void parameter(FILE *out, const char *name, bool has, uint64_t value)
{
	if (has && value != 0)
		fprintf(out, "\"%s\": %llu, ", name, (unsigned long long)value);
	else
		fprintf(out, "\"%s\": null, ", name);
}

static void params(FILE *out, const struct bench_result *result)
{
	const struct bench_workload *w = result->workload;
	const struct bench_params *p = &result->params;

	fputs("      \"params\": { ", out);
	parameter(out, "producers", w->producers != NULL, p->producers);
	parameter(out, "workers", w->workers != NULL, p->workers);
	parameter(out, "batch", w->batch != NULL, p->batch);
	parameter(out, "segment_size", w->segment_size != NULL, p->segment_size);
	parameter(out, "capacity", true, p->capacity);
	fputs("\"profile\": ", out);
	if (p->profile != 0)
		string(out, wp_profile_name((enum wp_profile)(p->profile - 1)));
	else
		fputs("null", out);
	fputs(", ", out);
	parameter(out, "rate", w->rates != NULL, p->rate);
	fprintf(out, "\"jobs\": %llu },\n", (unsigned long long)p->jobs);
}

static void runs(FILE *out, const struct bench_result *result, const struct bench_result *raw)
{
	fputs("      \"runs\": [\n", out);
	for (unsigned i = 0; i < result->runs; i++) {
		const struct bench_sample *s = &result->samples[i];
		double ns = harness_ns_per_job(s);
		double raw_ns = i < raw->runs ? harness_ns_per_job(&raw->samples[i]) : 0;

		fprintf(out,
			"        { \"jobs\": %llu, \"wall_ns\": %.0f, \"cpu_ns\": %.0f, "
			"\"ns_per_job\": %.6g, \"ratio_to_raw_limit\": %.6g, \"values\": {",
			(unsigned long long)s->jobs, s->wall_ns, s->cpu_ns, ns,
			raw_ns > 0 ? ns / raw_ns : 0);
		for (unsigned v = 0; v < s->value_count; v++) {
			fputs(v == 0 ? " " : ", ", out);
			string(out, s->values[v].name);
			fprintf(out, ": %.10g", s->values[v].value);
		}
		fprintf(out, " } }%s\n", i + 1 < result->runs ? "," : "");
	}
	fputs("      ],\n", out);
}

static void values(FILE *out, const struct bench_result *result)
{
	fputs("      \"values\": {", out);
	for (unsigned v = 0; v < result->samples[0].value_count; v++) {
		const struct bench_value *value = &result->samples[0].values[v];
		struct spread s = harness_value(result, v);

		fputs(v == 0 ? "\n        " : ",\n        ", out);
		string(out, value->name);
		fputs(": { \"unit\": ", out);
		string(out, value->unit);
		fprintf(out, ", \"min\": %.10g, \"median\": %.10g, \"max\": %.10g }", s.min,
			s.median, s.max);
	}
	fputs(" }\n", out);
}

static void one_result(FILE *out, const struct bench_result *result, const struct bench_result *raw)
{
	struct spread time = harness_time(result), cpu = harness_cpu(result);
	struct spread ratio = harness_ratio(result, raw);

	fputs("    {\n      \"workload\": ", out);
	string(out, result->workload->name);
	fprintf(out, ", \"kind\": \"%s\",\n",
		result->workload->kind == BENCH_TIME ? "time" : "values");
	params(out, result);
	runs(out, result, raw);
	if (result->workload->kind == BENCH_TIME) {
		fputs("      \"ns_per_job\": ", out);
		spread(out, &time);
		fputs(",\n      \"cpu_ns_per_job\": ", out);
		spread(out, &cpu);
		fprintf(out, ",\n      \"jobs_per_second\": %.6g",
			time.median > 0 ? 1e9 / time.median : 0);
		fputs(",\n      \"ratio_to_raw_limit\": ", out);
		spread(out, &ratio);
		fputs(",\n", out);
	}
	values(out, result);
	fputs("    }", out);
}

void report_json(
	const struct harness *h, const struct card *card, const struct args *args, FILE *out)
{
	struct report_note notes[REPORT_NOTES_MAX];
	size_t count = report_notes(h, notes);
	bool first = true;

	fprintf(out, "{\n  \"format\": \"seg_bench/1\",\n  \"complete\": %s,\n",
		h->complete ? "true" : "false");
	machine(out, card);
	options(out, args);
	fputs("  \"results\": [\n", out);
	for (size_t i = 0; i < h->count; i++) {
		if (h->results[i].runs == 0)
			continue;
		if (!first)
			fputs(",\n", out);
		first = false;
		one_result(out, &h->results[i], &h->results[0]);
	}
	fputs("\n  ],\n  \"notes\": [", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s\n    { \"name\": ", i == 0 ? "" : ",");
		string(out, notes[i].name);
		fprintf(out, ", \"value\": %.6g, \"text\": ", notes[i].value);
		string(out, notes[i].text);
		fputs(" }", out);
	}
	fputs("\n  ]\n}\n", out);
}
