/* SPDX-License-Identifier: MIT */
/* The results as a table for people (at most 100 columns) and as JSON for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "args.h"
#include "card.h"
#include "harness.h"

/* One conclusion drawn from several cases. */
struct report_note {
	char text[160];
	const char *name;
	double value;
};

#define REPORT_NOTES_MAX 16

/* Fills notes, returns how many. */
size_t report_notes(const struct harness *h, struct report_note *notes);

/* The cases judged by time, the cases with values, the notes. */
void report_table(const struct harness *h, FILE *out);

/* The cases with values alone; used by report_table. */
void report_values(const struct harness *h, FILE *out);

void report_json(
	const struct harness *h, const struct card *card, const struct args *args, FILE *out);

/* A value with its unit, as "1.20 MiB", "98.5 %" or "12". */
const char *report_value(double value, const char *unit, char *buffer, size_t size);

/* A duration with a unit, as "284 ns" or "2.60 us". */
const char *report_duration(double ns, char *buffer, size_t size);

#endif
