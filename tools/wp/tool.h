/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands of wp share: their table, the exit statuses, and how they speak to the user.
 *
 * Manners of every subcommand:
 *   - Results go to standard output; everything said to a person goes to standard error.
 *   - A failure is one line, "wp COMMAND: SUBJECT: reason", where the subject is the file or option
 *     that it is about.
 *   - 0 is success, 1 a failure at run time, 2 a command line that makes no sense. A command that
 *     a signal ends dies of that signal, which a shell shows as 128 + its number.
 */
#ifndef TOOLS_WP_TOOL_H
#define TOOLS_WP_TOOL_H

#include <stdarg.h>
#include <stdbool.h>

#include <wpool/export.h>

enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

/* A subcommand. argv[0] is its name; run returns an exit status. */
struct command {
	const char *name;
	const char *summary; /* one line for `wp --help` */
	int (*run)(int argc, char **argv);
};

/* Compresses in parallel; gzip.c. Where libdeflate is missing at build time, gzip_missing.c. */
int command_gzip(int argc, char **argv);

/*
 * Writes "wp COMMAND: SUBJECT: message" and a line end to standard error, in one piece. command and
 * subject may be NULL: their part is left out. errno is preserved.
 */
void tool_error(const char *command, const char *subject, const char *format, ...) WP_PRINTF(3, 4);

/*
 * Ends a command that printed its result: flushes and closes standard output. Returns STATUS_OK, or
 * STATUS_FAILED after a message when the text did not arrive (full disk, closed descriptor). A
 * reader that went away gets no message: it knows.
 */
int tool_finish_stdout(const char *command);

/*
 * Makes sure that descriptors 0, 1 and 2 are taken, so that no file opened later becomes "standard
 * error" by accident. One that was closed stays unusable: reading or writing it gives EBADF.
 */
bool tool_reserve_standard_descriptors(void);

#endif
