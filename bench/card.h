/* SPDX-License-Identifier: MIT */
/*
 * The machine card: what a reader must know of the machine, the build and the circumstances to make
 * anything of the figures. It is printed above the table and stored in the JSON file.
 */
#ifndef BENCH_CARD_H
#define BENCH_CARD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "procfs.h"

#define CARD_TEXT 256

struct card {
	char cpu[CARD_TEXT];
	unsigned cpus_online;
	unsigned cpus_usable;
	char caches[CARD_TEXT];
	char kernel[CARD_TEXT];
	char governor[CARD_TEXT];
	char clocksource[CARD_TEXT];
	char compiler[CARD_TEXT];
	char flags[CARD_TEXT];
	char wpool_version[CARD_TEXT];
	char revision[CARD_TEXT];
	char date[CARD_TEXT]; /* UTC, ISO 8601 */
	double load[3];
	bool pinned;
	double others_before;   /* CPUs that other processes used just before; negative: unknown */
	char others[CARD_TEXT]; /* the busiest of them */
	double others_during;   /* the same on average over the whole measurement */
	double stolen_during;   /* CPUs that the host of a virtual machine took meanwhile */
	bool disturbed;         /* others were busy enough to doubt the figures */
	struct procfs_machine machine_begin;
	uint64_t cpu_begin_ns;
	uint64_t begin_ns;
};

/* Looks at the machine; takes a third of a second to see who else is busy. */
void card_begin(struct card *card, bool pinned);

/* Fills in what others did since card_begin. */
void card_end(struct card *card);

void card_print(const struct card *card, FILE *out);

/* The line about others during the measurement, after card_end. */
void card_print_end(const struct card *card, FILE *out);

#endif
