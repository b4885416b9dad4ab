/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* A letter, and a colon where it takes an argument; each digit for OPTION_NUMBER. */
static void add_short_option(struct option_parser *parser, const struct option_row *row)
{
	char *end = parser->short_options + strlen(parser->short_options);
	if (row->code == OPTION_NUMBER) {
		strcpy(end, "0123456789");
		return;
	}
	*end++ = (char)row->code;
	if (row->argument)
		*end++ = ':';
	*end = '\0';
}

void option_parser_init(struct option_parser *parser, const char *command,
	const struct option_row *rows, size_t row_count, int argc, char **argv)
{
	assert(row_count <= OPTION_ROWS_MAX);
	*parser = (struct option_parser){
		.command = command,
		.rows = rows,
		.row_count = row_count,
		.argc = argc,
		.argv = argv,
	};
	/*
	 * '-': operands are returned in their place and argv stays as it is; on that option_next
	 * relies to know which element it is in. ':': a missing argument is told from an unknown
	 * option, and getopt itself prints nothing.
	 */
	strcpy(parser->short_options, "-:");
	for (size_t i = 0; i < row_count; i++) {
		parser->long_options[i] = (struct option){
			.name = rows[i].long_name,
			.has_arg = rows[i].argument ? required_argument : no_argument,
			.val = rows[i].code,
		};
		if (rows[i].code < OPTION_LONG_ONLY)
			add_short_option(parser, &rows[i]);
	}
	opterr = 0;
	optind = 1;
}

/* getopt refused something in `element`: an option that is unknown, or without its argument. */
static int report_wrong_option(
	const struct option_parser *parser, const char *element, bool argument_missing)
{
	bool is_long = strncmp(element, "--", 2) == 0;
	char letter[] = { '-', (char)optopt, '\0' };
	const char *what = "is not known";

	if (argument_missing)
		what = "needs an argument";
	else if (is_long && optopt != 0)
		what = "takes no argument";
	else if (is_long)
		what = "is not known, or short for more than one";
	tool_error(parser->command, NULL, "option '%s' %s (see wp %s --help)",
		is_long ? element : letter, what, parser->command);
	return OPTION_WRONG;
}

/* A digit on its own, as in -6 or the 2 of -12. */
static int number_option(
	struct option_parser *parser, int element, char digit, const char **argument)
{
	if (parser->number_element != element)
		parser->number_text[0] = '\0';
	parser->number_element = element;

	size_t length = strlen(parser->number_text);
	if (length + 1 < sizeof parser->number_text) {
		parser->number_text[length] = digit;
		parser->number_text[length + 1] = '\0';
	}
	*argument = parser->number_text;
	return OPTION_NUMBER;
}

int option_next(struct option_parser *parser, const char **argument)
{
	*argument = NULL;
	if (!parser->options_ended) {
		int element = optind;
		int code = getopt_long(parser->argc, parser->argv, parser->short_options,
			parser->long_options, NULL);
		if (code >= '0' && code <= '9')
			return number_option(parser, element, (char)code, argument);
		parser->number_element = 0;
		if (code == '?' || code == ':')
			return report_wrong_option(parser, parser->argv[element], code == ':');
		*argument = optarg;
		if (code == 1)
			return OPTION_OPERAND;
		if (code != -1)
			return code;
		parser->options_ended = true;
		*argument = NULL;
	}
	if (optind >= parser->argc)
		return OPTION_END;
	*argument = parser->argv[optind++];
	return OPTION_OPERAND;
}

/* "-w, --workers=WORKERS", "    --level=LEVEL", ... */
static void option_label(const struct option_row *row, char *label, size_t size)
{
	char letter[8] = "    ";
	if (row->code == OPTION_NUMBER)
		strcpy(letter, "-N, ");
	else if (row->code < OPTION_LONG_ONLY)
		snprintf(letter, sizeof letter, "-%c, ", row->code);
	snprintf(label, size, "%s--%s%s%s", letter, row->long_name, row->argument ? "=" : "",
		row->argument ? row->argument : "");
}

void option_print_help(const struct option_row *rows, size_t row_count)
{
	char label[64];
	int width = 0;
	for (size_t i = 0; i < row_count; i++) {
		option_label(&rows[i], label, sizeof label);
		if ((int)strlen(label) > width)
			width = (int)strlen(label);
	}
	for (size_t i = 0; i < row_count; i++) {
		option_label(&rows[i], label, sizeof label);
		/* Every line of the help text starts in the same column. */
		const char *line = rows[i].help;
		for (const char *left = label; line; left = "") {
			const char *next = strchr(line, '\n');
			int length = next ? (int)(next - line) : (int)strlen(line);
			printf("  %-*s  %.*s\n", width, left, length, line);
			line = next ? next + 1 : NULL;
		}
	}
}

/* Reads decimal digits; *rest is what follows them. strtoull alone would take "-1" and " 1". */
static bool parse_digits(const char *text, const char **rest, uint64_t *out)
{
	if (!isdigit((unsigned char)text[0]))
		return false;
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	*rest = end;
	*out = value;
	return errno == 0;
}

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *rest;
	return parse_digits(text, &rest, out) && *rest == '\0' && *out >= min && *out <= max;
}

bool parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *rest;
	uint64_t value;
	if (!parse_digits(text, &rest, &value))
		return false;

	unsigned shift = 0;
	if (*rest == 'K' || *rest == 'k')
		shift = 10;
	else if (*rest == 'M' || *rest == 'm')
		shift = 20;
	if (shift)
		rest++;
	if (*rest != '\0' || value > UINT64_MAX >> shift)
		return false;
	*out = value << shift;
	return *out >= min && *out <= max;
}
