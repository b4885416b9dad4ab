/* SPDX-License-Identifier: MIT */
/* The command line of seg_bench. */
#ifndef BENCH_ARGS_H
#define BENCH_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"
#include "numbers.h"

/* What the program is to do. */
enum args_action {
	ARGS_RUN,
	ARGS_EXIT, /* --help, --list or --version: it has been printed; leave with `status` */
};

/* A list with count 0, or a number that is 0, was not given. */
struct args {
	int status;
	const char *filter; /* globs with commas between, or NULL: everything */
	uint64_t jobs;
	unsigned runs;
	struct numbers producers;
	struct numbers workers;
	struct numbers batch;
	struct numbers segment_size;
	struct numbers profiles; /* as in struct bench_params */
	size_t capacity;
	bool pin;
	bool quick;
	const char *json; /* file name, "-" for stdout, or NULL */
};

/*
 * Fills *args. A mistake is told in one line on stderr and gives ARGS_EXIT with status 2. The
 * strings point into argv.
 */
enum args_action args_parse(struct args *args, int argc, char **argv);

/* Whether the filter lets this workload through. */
bool args_selects(const struct args *args, const struct bench_workload *workload);

#endif
