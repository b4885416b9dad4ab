/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing whole blocks: short transfers, interrupts and descriptors in non-blocking
 * mode are dealt with here. Errors are negative errno numbers.
 */
#ifndef TOOLS_WP_IO_H
#define TOOLS_WP_IO_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Fills the buffer; a pipe may need many reads for it. Returns `size`, or less at the end of the
 * input. -ECANCELED as soon as stop_fd becomes readable, also while it waits for input.
 */
ssize_t io_read_full(int fd, void *buffer, size_t size, int stop_fd);

/* Writes everything: 0, or the error that prevented it. */
int io_write_full(int fd, const void *buffer, size_t size);

#endif
