/* SPDX-License-Identifier: MIT */
/*
 * Numbers and lists as people write them on a command line.
 *
 * A number is a whole number, possibly in the form 1e6, 2.5e3, 100k, 1M or 4G (k, M and G are
 * powers of ten). A list is numbers and ranges with commas between: 1,2,4 or 1..16, which doubles:
 * 1, 2, 4, 8, 16. A range always contains its two ends: 1..12 is 1, 2, 4, 8, 12.
 */
#ifndef BENCH_NUMBERS_H
#define BENCH_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBERS_MAX 64

struct numbers {
	uint64_t values[NUMBERS_MAX];
	size_t count;
};

/* Whether all of text is a number from least to most; *value is set only then. */
bool numbers_parse_one(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* Whether all of text is a list of such numbers, at least one and at most NUMBERS_MAX. */
bool numbers_parse_list(const char *text, uint64_t least, uint64_t most, struct numbers *list);

/* 1000000 as "1M", 1500000 as "1.5M", 65536 as "65536": shortest exact form. */
const char *numbers_short(uint64_t value, char *buffer, size_t size);

#endif
