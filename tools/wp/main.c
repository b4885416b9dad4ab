/* SPDX-License-Identifier: MIT */
/*
 * wp: command-line programs built on wpool. This file only finds the subcommand:
 *
 *     wp COMMAND [ARGUMENTS]     runs it
 *     wp help [COMMAND]          same as `wp COMMAND --help`
 *     wp --help, wp --version
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <wpool/version.h>

#include "tool.h"

static const struct command commands[] = {
	{ "gzip", "compress a file or a stream on all processors", command_gzip },
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int print_help(void)
{
	printf("Usage: wp COMMAND [ARGUMENTS]\n"
	       "       wp help COMMAND\n"
	       "\n"
	       "Programs that do their work on a wpool job pool.\n"
	       "\n"
	       "Commands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("\n"
	       "Options:\n"
	       "  -h, --help     this text\n"
	       "  --version      the version of wp and of the library that it runs on\n"
	       "\n"
	       "Exit status: 0 success, 1 failure, 2 wrong usage.\n");
	return tool_finish_stdout(NULL);
}

static int print_version(void)
{
	printf("wp %s (libwpool %s)\n", WP_VERSION_STRING, wp_version());
	return tool_finish_stdout(NULL);
}

static int unknown_command(const char *name)
{
	const char *what = name[0] == '-' ? "option" : "command";
	tool_error(NULL, NULL, "unknown %s '%s' (see wp --help)", what, name);
	return STATUS_USAGE;
}

/* `wp help` and `wp help COMMAND`. */
static int help(int argc, char **argv)
{
	if (argc < 2)
		return print_help();
	if (argc > 2) {
		tool_error("help", NULL, "give one command (see wp --help)");
		return STATUS_USAGE;
	}
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);

	char option[] = "--help";
	char *arguments[] = { argv[1], option, NULL };
	return command->run(2, arguments);
}

int main(int argc, char **argv)
{
	if (!tool_reserve_standard_descriptors())
		return STATUS_FAILED;
	/*
	 * A reader that goes away is an error of the write that meets it (EPIPE), whatever the
	 * parent process had set: so each command can tidy up first and decide how to end.
	 */
	signal(SIGPIPE, SIG_IGN);

	if (argc < 2) {
		tool_error(NULL, NULL, "no command given (see wp --help)");
		return STATUS_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return print_help();
	if (strcmp(name, "--version") == 0)
		return print_version();
	if (strcmp(name, "help") == 0)
		return help(argc - 1, argv + 1);

	const struct command *command = find_command(name);
	return command ? command->run(argc - 1, argv + 1) : unknown_command(name);
}
