/* SPDX-License-Identifier: MIT */
/*
 * `wp gzip`: opens what the command line names, has it compressed (gzip_pipeline.c), and reports.
 */
#include "gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "output.h"
#include "progress.h"
#include "tool.h"

static const char command_name[] = "gzip";
static const char suffix[] = ".gz";

/* Returns the descriptor, or -1 when the user was told what is wrong. */
static int open_input(const char *path, const char *name)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	struct stat status;
	if (fd < 0 || fstat(fd, &status) != 0) {
		tool_error(command_name, name, "%s", strerror(errno));
		return -1;
	}
	if (S_ISDIR(status.st_mode)) {
		tool_error(command_name, name, "%s", strerror(EISDIR));
		return -1;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only an advice */
	return fd;
}

/* Bytes from here to the end of a regular file; 0 where nobody knows. */
static uint64_t input_size(int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return 0;
	off_t position = lseek(fd, 0, SEEK_CUR);
	return position >= 0 && position < status.st_size ? (uint64_t)(status.st_size - position)
							  : 0;
}

/* FILE -> FILE.gz, as gzip does it. False when the user was told why not. */
static bool name_output(const struct gzip_options *options, char *path, size_t size)
{
	size_t length = strlen(options->input);
	size_t tail = strlen(suffix);
	if (length > tail && strcmp(options->input + length - tail, suffix) == 0 &&
		!options->force) {
		tool_error(command_name, options->input,
			"has the suffix .gz already (use -f, -c or -o)");
		return false;
	}
	int written = snprintf(path, size, "%s%s", options->input, suffix);
	if (written < 0 || (size_t)written >= size) {
		tool_error(command_name, options->input, "%s", strerror(ENAMETOOLONG));
		return false;
	}
	return true;
}

static bool open_output(const struct gzip_options *options, int input, struct output *output)
{
	static char default_path[PATH_MAX]; /* static: the output keeps a pointer to its name */
	struct output_request request = {
		.command = command_name,
		.path = options->output,
		.input = input,
		.may_replace = true, /* a file named by -o is one that the user wants written */
		.terminal_is_allowed = options->force,
	};
	if (options->input && !options->output && !options->to_stdout) {
		if (!name_output(options, default_path, sizeof default_path))
			return false;
		request.path = default_path;
		request.may_replace = options->force;
		request.inherit = true;
	}
	return output_open(output, &request);
}

/*
 * The consumer of the output has seen enough, as in `wp gzip -c big | head -c 100`. End like every
 * filter does then: at once, without a word, by SIGPIPE.
 */
static void die_of_closed_pipe(void)
{
	sigset_t set;
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGPIPE);
	_exit(128 + SIGPIPE);
}

static void report_failure(const struct gzip_options *options, const struct gzip_result *result,
	const char *input_name, const char *output_name)
{
	const char *name = result->stage == GZIP_WRITING ? output_name : input_name;
	if (result->error == WP_ENOMEM) {
		tool_error(command_name, name,
			"not enough memory or threads for %u blocks of %zu bytes and %u workers "
			"at level %d (a smaller -b or -w needs less)",
			gzip_block_count(options->workers), options->block_size, options->workers,
			options->level);
	} else if (result->stage == GZIP_READING || result->stage == GZIP_WRITING) {
		tool_error(command_name, name, "%s", strerror(-result->error));
	} else {
		tool_error(command_name, name, "cannot compress with %u workers: %s",
			options->workers, wp_strerror(result->error));
	}
}

static void print_summary(const struct gzip_options *options, const struct gzip_result *result,
	const char *name, uint64_t elapsed_ns)
{
	double in = (double)result->bytes_in;
	double out = (double)result->bytes_out;
	double seconds = (double)(elapsed_ns + 1) / 1e9;
	fprintf(stderr,
		"%s: %llu bytes in, %llu bytes out, ratio %.3f, %.2f s, %.1f MB/s, %u workers, "
		"%llu blocks of %zu\n",
		name, (unsigned long long)result->bytes_in, (unsigned long long)result->bytes_out,
		in / out, seconds, in / 1e6 / seconds, options->workers,
		(unsigned long long)result->blocks, options->block_size);
}

static int compress(const struct gzip_options *options, int input, struct output *output)
{
	const char *input_name = options->input ? options->input : "standard input";
	uint64_t start = wp_now_ns();
	struct progress progress;
	progress_begin(&progress, !options->quiet && !isatty(output->fd), input_size(input));

	struct gzip_result result = gzip_run(&(struct gzip_work){
		.input = input,
		.output = output->fd,
		.level = options->level,
		.workers = options->workers,
		.block_size = options->block_size,
		.progress = &progress,
	});
	progress_end(&progress);

	if (result.error) {
		output_discard(output);
		if (result.stage == GZIP_WRITING && result.error == -EPIPE)
			die_of_closed_pipe();
		report_failure(options, &result, input_name, output->name);
		return STATUS_FAILED;
	}
	if (!output_commit(output))
		return STATUS_FAILED;
	if (options->verbose)
		print_summary(options, &result, input_name, wp_now_ns() - start);
	return STATUS_OK;
}

int command_gzip(int argc, char **argv)
{
	struct gzip_options options;
	struct output output;
	int status;

	if (!gzip_options_parse(argc, argv, &options, &status))
		return status;
	int input = open_input(options.input, options.input ? options.input : "standard input");
	if (input < 0)
		return STATUS_FAILED;
	if (!open_output(&options, input, &output))
		return STATUS_FAILED;
	return compress(&options, input, &output);
}
