/* SPDX-License-Identifier: MIT */
#include "numbers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this a double no longer holds every whole number. */
#define EXACT_MAX 9007199254740992.0

static double suffix_factor(char suffix)
{
	switch (suffix) {
	case 'k':
	case 'K':
		return 1e3;
	case 'M':
		return 1e6;
	case 'G':
		return 1e9;
	default:
		return 0;
	}
}

/* Reads text[0 .. length). */
static bool parse_span(
	const char *text, size_t length, uint64_t least, uint64_t most, uint64_t *value)
{
	char copy[32];
	char *end;
	double number;

	/* strtod alone would also take signs, blanks, hexadecimal digits, "inf" and "nan". */
	if (length == 0 || length >= sizeof(copy) || text[0] < '0' || text[0] > '9')
		return false;
	if (strspn(text, "0123456789.eE+kKMG") < length)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	errno = 0;
	number = strtod(copy, &end);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		double factor = suffix_factor(*end);

		if (factor == 0 || end[1] != '\0')
			return false;
		number *= factor;
	}
	if (number > EXACT_MAX || floor(number) < number)
		return false;
	if ((uint64_t)number < least || (uint64_t)number > most)
		return false;
	*value = (uint64_t)number;
	return true;
}

bool numbers_parse_one(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	return parse_span(text, strlen(text), least, most, value);
}

static bool add(struct numbers *list, uint64_t value)
{
	if (list->count == NUMBERS_MAX)
		return false;
	list->values[list->count++] = value;
	return true;
}

static bool add_range(struct numbers *list, uint64_t first, uint64_t last)
{
	uint64_t value;

	if (first > last || first == 0)
		return false;
	for (value = first; value < last; value *= 2)
		if (!add(list, value))
			return false;
	return add(list, last);
}

bool numbers_parse_list(const char *text, uint64_t least, uint64_t most, struct numbers *list)
{
	list->count = 0;
	for (;;) {
		size_t length = strcspn(text, ",");
		const char *dots = strstr(text, "..");
		uint64_t first, last;

		if (dots != NULL && (size_t)(dots - text) < length) {
			size_t head = (size_t)(dots - text);

			if (!parse_span(text, head, least, most, &first) ||
				!parse_span(dots + 2, length - head - 2, least, most, &last) ||
				!add_range(list, first, last))
				return false;
		} else if (!parse_span(text, length, least, most, &first) || !add(list, first)) {
			return false;
		}
		if (text[length] == '\0')
			return true;
		text += length + 1;
	}
}

const char *numbers_short(uint64_t value, char *buffer, size_t size)
{
	static const struct {
		uint64_t factor;
		const char *suffix;
	} steps[] = { { 1000000000, "G" }, { 1000000, "M" }, { 1000, "k" } };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t whole = value / steps[i].factor;
		uint64_t tenths = value / (steps[i].factor / 10) % 10;

		if (whole == 0 || value % (steps[i].factor / 10) != 0)
			continue;
		if (tenths == 0)
			snprintf(
				buffer, size, "%llu%s", (unsigned long long)whole, steps[i].suffix);
		else
			snprintf(buffer, size, "%llu.%llu%s", (unsigned long long)whole,
				(unsigned long long)tenths, steps[i].suffix);
		return buffer;
	}
	snprintf(buffer, size, "%llu", (unsigned long long)value);
	return buffer;
}
