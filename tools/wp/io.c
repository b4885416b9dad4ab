/* SPDX-License-Identifier: MIT */
#include "io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Returns 0 when a read of fd will not wait, -ECANCELED when told to stop. */
static int wait_for_input(int fd, int stop_fd)
{
	struct pollfd ready[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	while (poll(ready, 2, -1) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return ready[1].revents ? -ECANCELED : 0;
}

ssize_t io_read_full(int fd, void *buffer, size_t size, int stop_fd)
{
	size_t filled = 0;
	while (filled < size) {
		int error = wait_for_input(fd, stop_fd);
		if (error)
			return error;
		ssize_t got = read(fd, (char *)buffer + filled, size - filled);
		if (got == 0)
			break;
		if (got > 0)
			filled += (size_t)got;
		else if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return (ssize_t)filled;
}

int io_write_full(int fd, const void *buffer, size_t size)
{
	const char *next = buffer;
	while (size > 0) {
		ssize_t put = write(fd, next, size);
		if (put >= 0) {
			next += put;
			size -= (size_t)put;
		} else if (errno == EAGAIN) {
			/* Somebody who shares the descriptor made it non-blocking. */
			struct pollfd ready = { .fd = fd, .events = POLLOUT };
			(void)poll(&ready, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}
