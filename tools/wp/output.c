/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum { TEMPORARY_NAMES = 100 }; /* tried before giving up */

/* The file that a signal must not leave behind. Written only while those signals are blocked. */
static char doomed_path[PATH_MAX];
static volatile sig_atomic_t doomed;

static const int deadly_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

enum { DEADLY_SIGNALS = sizeof deadly_signals / sizeof deadly_signals[0] };

/* Tidies up and dies of the signal after all: the parent sees the true cause (130 after Ctrl-C). */
static void on_deadly_signal(int number)
{
	if (doomed)
		unlink(doomed_path);
	signal(number, SIG_DFL);
	raise(number); /* delivered when the handler returns, which unblocks it */
}

static void catch_deadly_signals(void)
{
	for (int i = 0; i < DEADLY_SIGNALS; i++) {
		struct sigaction action;
		/* What is ignored stays ignored, e.g. SIGHUP under nohup. */
		if (sigaction(deadly_signals[i], NULL, &action) != 0 ||
			action.sa_handler == SIG_IGN)
			continue;
		memset(&action, 0, sizeof action);
		action.sa_handler = on_deadly_signal;
		sigfillset(&action.sa_mask);
		sigaction(deadly_signals[i], &action, NULL);
	}
	/* A file size limit is an error of the write that meets it (EFBIG). */
	signal(SIGXFSZ, SIG_IGN);
}

static void block_deadly_signals(sigset_t *saved)
{
	sigset_t set;
	sigemptyset(&set);
	for (int i = 0; i < DEADLY_SIGNALS; i++)
		sigaddset(&set, deadly_signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, saved);
}

static bool refuse(const struct output *output, const char *reason)
{
	tool_error(output->command, output->name, "%s", reason);
	return false;
}

/* Creates the temporary file, already under the protection of the signal handler. 0 or errno. */
static int create_temporary(struct output *output, mode_t mode)
{
	char directory_of[PATH_MAX];
	strcpy(directory_of, output->final_path);
	const char *directory = dirname(directory_of);

	for (int i = 0; i < TEMPORARY_NAMES; i++) {
		int length = snprintf(output->temporary_path, sizeof output->temporary_path,
			"%s/.wp-%ld-%d.tmp", directory, (long)getpid(), i);
		if (length < 0 || (size_t)length >= sizeof output->temporary_path)
			return ENAMETOOLONG;

		sigset_t saved;
		block_deadly_signals(&saved);
		output->fd =
			open(output->temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		int error = output->fd < 0 ? errno : 0;
		if (!error) {
			strcpy(doomed_path, output->temporary_path);
			doomed = 1;
		}
		pthread_sigmask(SIG_SETMASK, &saved, NULL);
		if (error != EEXIST)
			return error;
	}
	return EEXIST;
}

/* The temporary file is gone: renamed, or to be removed here. */
static void end_temporary(struct output *output, bool renamed)
{
	if (!renamed)
		unlink(output->temporary_path);
	doomed = 0;
	output->temporary = false;
}

/* Where the path leads to, through symbolic links; a name that does not exist yet is kept. */
static int resolve(struct output *output, const char *path)
{
	if (realpath(path, output->final_path))
		return 0;
	if (errno != ENOENT || strlen(path) >= sizeof output->final_path)
		return errno == ENOENT ? ENAMETOOLONG : errno;
	strcpy(output->final_path, path);
	return 0;
}

static bool open_file(struct output *output, const struct output_request *request)
{
	struct stat existing;
	bool exists = stat(request->path, &existing) == 0;

	if (exists && S_ISDIR(existing.st_mode))
		return refuse(output, strerror(EISDIR));
	if (exists && !S_ISREG(existing.st_mode)) {
		output->fd = open(request->path, O_WRONLY | O_CLOEXEC);
		return output->fd >= 0 ? true : refuse(output, strerror(errno));
	}
	if (exists && !request->may_replace)
		return refuse(output, "already exists (use -f to replace it)");

	int error = resolve(output, request->path);
	if (error)
		return refuse(output, strerror(error));
	struct stat input;
	if (request->inherit && fstat(request->input, &input) == 0 && S_ISREG(input.st_mode)) {
		output->has_model = true;
		output->set_times = true;
		output->model = input;
	} else if (exists) {
		output->has_model = true;
		output->model = existing;
	}
	/* Where the mode is set at the end, nobody else may look inside before. */
	error = create_temporary(output, output->has_model ? 0600 : 0666);
	if (error) {
		tool_error(output->command, output->name,
			"cannot create a temporary file beside it: %s", strerror(error));
		return false;
	}
	output->temporary = true;
	return true;
}

static bool is_input(const struct output *output, const struct output_request *request)
{
	struct stat input, target;
	if (fstat(request->input, &input) != 0 || !S_ISREG(input.st_mode))
		return false;
	int error = request->path ? stat(request->path, &target) : fstat(output->fd, &target);
	return error == 0 && input.st_dev == target.st_dev && input.st_ino == target.st_ino;
}

bool output_open(struct output *output, const struct output_request *request)
{
	*output = (struct output){
		.command = request->command,
		.name = request->path ? request->path : "standard output",
		.fd = STDOUT_FILENO,
		.may_replace = request->may_replace,
	};
	catch_deadly_signals();

	/* Else it would read its own output, or put it in the place of its input. */
	if (is_input(output, request))
		return refuse(output, "is the input file");
	if (request->path && !open_file(output, request))
		return false;
	if (isatty(output->fd) && !request->terminal_is_allowed) {
		output_discard(output);
		return refuse(output, "is a terminal, and the data is not text "
				      "(use -o FILE, or -f to write it all the same)");
	}
	return true;
}

/* As good as we may: only root can give files away. Owner first: changing it clears mode bits. */
static int apply_model(const struct output *output)
{
	const struct stat *model = &output->model;
	if (fchown(output->fd, model->st_uid, model->st_gid) != 0 && errno != EPERM)
		return errno;
	if (fchmod(output->fd, model->st_mode & 0777) != 0 && errno != EPERM)
		return errno;
	struct timespec times[] = { model->st_atim, model->st_mtim };
	if (output->set_times && futimens(output->fd, times) != 0 && errno != EPERM)
		return errno;
	return 0;
}

static int rename_into_place(const struct output *output)
{
	/* The name was free at the start; whoever took it meanwhile keeps it. */
	if (!output->may_replace) {
		if (renameat2(AT_FDCWD, output->temporary_path, AT_FDCWD, output->final_path,
			    RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EINVAL && errno != ENOSYS) /* not every file system can do it */
			return errno;
	}
	return rename(output->temporary_path, output->final_path) == 0 ? 0 : errno;
}

bool output_commit(struct output *output)
{
	int error = 0;
	if (output->temporary && output->has_model)
		error = apply_model(output);
	/* Some file systems report a failed write only here. */
	if (close(output->fd) != 0 && !error && errno != EINTR)
		error = errno;
	if (output->temporary) {
		sigset_t saved;
		block_deadly_signals(&saved);
		if (!error)
			error = rename_into_place(output);
		end_temporary(output, error == 0);
		pthread_sigmask(SIG_SETMASK, &saved, NULL);
	}
	return error ? refuse(output, strerror(error)) : true;
}

void output_discard(struct output *output)
{
	if (output->temporary)
		end_temporary(output, false);
	if (output->fd != STDOUT_FILENO)
		close(output->fd);
}
