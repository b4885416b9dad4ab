/* SPDX-License-Identifier: MIT */
/*
 * Command-line options from one table: the same rows drive getopt_long and print the help, so the
 * two cannot disagree.
 *
 *     struct option_parser parser;
 *     const char *argument;
 *     int code;
 *     option_parser_init(&parser, "gzip", rows, row_count, argc, argv);
 *     while ((code = option_next(&parser, &argument)) != OPTION_END)
 *             switch (code) { ... }
 *
 * Options and operands may be mixed; "--" ends the options; "-" is an operand. getopt keeps its
 * state in globals: one parser per process.
 */
#ifndef TOOLS_WP_OPTIONS_H
#define TOOLS_WP_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OPTION_ROWS_MAX = 32,
	OPTION_NUMBER = '#',    /* code of the option that -NUMBER is short for, like -6 or -12 */
	OPTION_LONG_ONLY = 256, /* codes from here on have no short form */
};

struct option_row {
	int code; /* the short option's letter, OPTION_NUMBER, or OPTION_LONG_ONLY + n */
	const char *long_name; /* without the dashes */
	const char *argument;  /* what the help calls its argument; NULL: takes none */
	const char *help;      /* may have several lines */
};

/* What option_next returns besides the code of a row. */
enum {
	OPTION_END = -1,     /* no more arguments */
	OPTION_OPERAND = -2, /* argument is an operand */
	OPTION_WRONG = -3,   /* the user was told what is wrong */
};

struct option_parser {
	const char *command;
	const struct option_row *rows;
	size_t row_count;
	int argc;
	char **argv;
	char short_options[2 * OPTION_ROWS_MAX + 16]; /* letters, colons, digits */
	struct option long_options[OPTION_ROWS_MAX + 1];
	bool options_ended;   /* by "--" or the end */
	int number_element;   /* the element of argv in which -NUMBER is being read, or 0 */
	char number_text[16]; /* its digits so far */
};

void option_parser_init(struct option_parser *parser, const char *command,
	const struct option_row *rows, size_t row_count, int argc, char **argv);

/*
 * The next option or operand. *argument is its argument, or NULL; valid until the next call. -12 is
 * reported as -1 and then as 12: the last one is meant.
 */
int option_next(struct option_parser *parser, const char **argument);

/* Prints the rows, aligned, to standard output. */
void option_print_help(const struct option_row *rows, size_t row_count);

/* Decimal digits and nothing else, within min .. max. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The same with an optional K (1024) or M (1024 * 1024) at the end; lower case is fine. */
bool parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out);

#endif
