/* SPDX-License-Identifier: MIT */
/*
 * An output file that appears complete or not at all.
 *
 * It is written under a temporary name in the same directory and renamed at the end; any failure,
 * and the signals that end a command (SIGINT, SIGTERM, SIGHUP, SIGQUIT), remove it. So an older
 * file of that name stays whole until the new one is. Only SIGKILL or a power cut can leave a
 * file behind: it is called .wp-PID-N.tmp.
 *
 * Where the name is something other than a regular file (a device, a fifo), and for standard
 * output, the data is written straight into it. A symbolic link is followed: its target is
 * replaced.
 *
 * One output at a time, used by the main thread; other threads must block the signals above.
 */
#ifndef TOOLS_WP_OUTPUT_H
#define TOOLS_WP_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct output_request {
	const char *command;      /* for messages */
	const char *path;         /* NULL: standard output */
	int input;                /* descriptor of the input; must not be the same file */
	bool may_replace;         /* an existing file */
	bool inherit;             /* take over mode, owner and times of the input */
	bool terminal_is_allowed; /* or refuse to write to one */
};

struct output {
	const char *command;
	const char *name; /* for messages */
	int fd;
	bool temporary; /* written under temporary_path, to become final_path */
	bool may_replace;
	bool has_model; /* the file gets mode and owner of `model` */
	bool set_times; /* and its times */
	struct stat model;
	char final_path[PATH_MAX];
	char temporary_path[PATH_MAX];
};

/* Opens it, or tells the user why not and returns false. */
bool output_open(struct output *output, const struct output_request *request);

/* Closes it and gives it its name. On failure tells the user, leaves no file, returns false. */
bool output_commit(struct output *output);

/* Closes it and leaves no file. Says nothing. */
void output_discard(struct output *output);

#endif
