/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void tool_error(const char *command, const char *subject, const char *format, ...)
{
	int saved = errno;
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);

	/* stderr is unbuffered: a single call keeps the line in one piece. */
	fprintf(stderr, "wp%s%s: %s%s%s\n", command ? " " : "", command ? command : "",
		subject ? subject : "", subject ? ": " : "", message);
	errno = saved;
}

int tool_finish_stdout(const char *command)
{
	/* What a full disk refuses shows at the flush, with some file systems only at the close. */
	int error = 0;
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		error = errno ? errno : EIO;
	if (close(STDOUT_FILENO) != 0 && !error)
		error = errno;
	if (!error)
		return STATUS_OK;
	if (error != EPIPE)
		tool_error(command, "standard output", "%s", strerror(error));
	return STATUS_FAILED;
}

bool tool_reserve_standard_descriptors(void)
{
	/* Opened the wrong way round on purpose: in use, but useless. */
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* open returns the lowest free number, which here is fd: those below are taken. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
			return false;
	}
	return true;
}
