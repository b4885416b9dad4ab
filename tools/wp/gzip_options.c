/* SPDX-License-Identifier: MIT */
#include "gzip.h"

#include <stdio.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/pool.h>

#include "options.h"
#include "tool.h"

static const char command_name[] = "gzip";

/*
 * The default block size. Larger blocks compress better, because each starts with an empty history:
 * with 1M the output is 0.1 to 0.4 % smaller than with 512K and 0.3 to 1.1 % smaller than with
 * 256K; above 1M little is gained. With more than 8 workers it shrinks, so that the blocks
 * together stay within 36 MiB (up to 143 workers; each further one adds a quarter).
 */
enum {
	DEFAULT_BLOCK_LARGEST = 1 << 20,
	DEFAULT_BLOCK_SMALLEST = 64 << 10,
	DEFAULT_BLOCKS_TOTAL = 36 << 20,
};

static const struct option_row rows[] = {
	{ OPTION_NUMBER, "level", "N", "1 (fastest) to 12 (smallest); default 6" },
	{ 'w', "workers", "WORKERS",
		"threads that compress, 1 to 1024; default: one per\n"
		"processor that may be used" },
	{ 'b', "block", "BLOCK",
		"bytes compressed as one piece, 1K to 1024M\n"
		"(K: 1024, M: 1024 * 1024); larger: better ratio,\n"
		"more memory; default 1M, less with more than\n"
		"8 workers" },
	{ 'o', "output", "OUT",
		"write to OUT, which is replaced when all is\n"
		"complete; - is standard output" },
	{ 'c', "stdout", NULL, "write to standard output" },
	{ 'f', "force", NULL,
		"replace FILE.gz; write to a terminal;\n"
		"compress what is called FILE.gz" },
	{ 'k', "keep", NULL, "keep FILE: always so" },
	{ 'v', "verbose", NULL, "a summary at the end, on standard error" },
	{ 'q', "quiet", NULL, "no progress and no summary" },
	{ 'h', "help", NULL, "this text" },
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static int print_help(void)
{
	printf("Usage: wp gzip [-1..-12] [-w WORKERS] [-b BLOCK] [-o OUT] [FILE|-]\n"
	       "\n"
	       "Compresses FILE to FILE.gz, or standard input to standard output, on all\n"
	       "processors. The input is cut into blocks; each becomes a gzip member of its\n"
	       "own, so that gzip -d and every other gzip reads the result (only gzip -l is\n"
	       "misled: it shows the size of the last member).\n"
	       "\n"
	       "Options:\n");
	option_print_help(rows, ROW_COUNT);
	printf("\n"
	       "Memory: about 4 * (WORKERS + 1) * BLOCK, and for each worker 0.7 MB, or 9 MB\n"
	       "from level 10 on. It does not depend on the size of the input nor on how fast\n"
	       "the output is read. With 2 workers: 16 MB, or 32 MB from level 10 on.\n"
	       "\n"
	       "On a terminal, progress is shown on standard error. The output file appears\n"
	       "under its name only when it is complete.\n"
	       "\n"
	       "Exit status: 0 success, 1 failure, 2 wrong usage. Ended by a signal it dies\n"
	       "of that signal and leaves no file: 130 after Ctrl-C in a shell, 141, silently,\n"
	       "when the reader of the output went away.\n");
	return tool_finish_stdout(command_name);
}

static size_t default_block_size(unsigned workers)
{
	size_t size = DEFAULT_BLOCK_LARGEST;
	while (size > DEFAULT_BLOCK_SMALLEST &&
		2 * size * gzip_block_count(workers) > DEFAULT_BLOCKS_TOTAL)
		size /= 2;
	return size;
}

static bool wrong_argument(const char *option, const char *argument, const char *expected)
{
	tool_error(command_name, option, "'%s' is not %s (see wp gzip --help)", argument, expected);
	return false;
}

static bool set_operand(struct gzip_options *options, const char **operand, const char *argument)
{
	if (*operand) {
		tool_error(command_name, argument,
			"one input file at a time: '%s' is given already", *operand);
		return false;
	}
	*operand = argument;
	options->input = strcmp(argument, "-") == 0 ? NULL : argument;
	return true;
}

/* One option with its argument; false when the user was told that it is wrong. */
static bool apply(struct gzip_options *options, int code, const char *argument)
{
	uint64_t number;
	switch (code) {
	case OPTION_NUMBER:
		if (!parse_number(argument, GZIP_LEVEL_MIN, GZIP_LEVEL_MAX, &number))
			return wrong_argument("level", argument, "a number from 1 to 12");
		options->level = (int)number;
		return true;
	case 'w':
		if (!parse_number(argument, 1, WP_WORKERS_MAX, &number))
			return wrong_argument("-w", argument, "a number from 1 to 1024");
		options->workers = (unsigned)number;
		return true;
	case 'b':
		if (!parse_size(argument, GZIP_BLOCK_MIN, GZIP_BLOCK_MAX, &number))
			return wrong_argument(
				"-b", argument, "a size from 1K to 1024M, like 65536, 512K or 4M");
		options->block_size = (size_t)number;
		return true;
	case 'o':
		if (argument[0] == '\0')
			return wrong_argument("-o", argument, "a file name");
		options->output = argument;
		return true;
	case 'c':
		options->to_stdout = true;
		return true;
	case 'f':
		options->force = true;
		return true;
	case 'k':
		return true;
	case 'v':
	case 'q': /* the last of the two counts */
		options->verbose = code == 'v';
		options->quiet = code == 'q';
		return true;
	default:
		return false; /* OPTION_WRONG */
	}
}

static bool fill_defaults(struct gzip_options *options)
{
	if (options->output && strcmp(options->output, "-") == 0) {
		options->output = NULL;
		options->to_stdout = true;
	}
	if (options->output && options->to_stdout) {
		tool_error(
			command_name, NULL, "-c and -o contradict each other (see wp gzip --help)");
		return false;
	}
	if (options->workers == 0) {
		/*
		 * What the pool would take by itself; asked beforehand because memory depends
		 * on it.
		 */
		struct wp_options pool = WP_OPTIONS_INIT;
		wp_options_fill_defaults(&pool);
		options->workers = pool.workers;
	}
	if (options->block_size == 0)
		options->block_size = default_block_size(options->workers);
	return true;
}

bool gzip_options_parse(int argc, char **argv, struct gzip_options *options, int *status)
{
	struct option_parser parser;
	const char *argument;
	const char *operand = NULL;
	int code;

	*options = (struct gzip_options){ .level = GZIP_LEVEL_DEFAULT };
	*status = STATUS_USAGE;
	option_parser_init(&parser, command_name, rows, ROW_COUNT, argc, argv);
	while ((code = option_next(&parser, &argument)) != OPTION_END) {
		if (code == 'h') {
			*status = print_help();
			return false;
		}
		bool good = code == OPTION_OPERAND ? set_operand(options, &operand, argument)
						   : apply(options, code, argument);
		if (!good)
			return false;
	}
	return fill_defaults(options);
}
