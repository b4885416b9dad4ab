/* SPDX-License-Identifier: MIT */
/*
 * One line on the terminal that is drawn over and over: how much is done, how fast it goes, and the
 * time left where the total is known. Used by one thread.
 */
#ifndef TOOLS_WP_PROGRESS_H
#define TOOLS_WP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool enabled;
	uint64_t total;    /* bytes to do; 0: not known */
	uint64_t start_ns; /* when it began */
	uint64_t draw_ns;  /* not drawn again before this time */
	int columns_used;  /* by the line that is on the terminal now */
};

/* Nothing is drawn, ever, where wanted is false or standard error is not a terminal. */
void progress_begin(struct progress *progress, bool wanted, uint64_t total);

/* Draws the line when the last time was long enough ago; cheap otherwise. */
void progress_update(struct progress *progress, uint64_t done);

/* Wipes the line: call it before anything else is printed. */
void progress_end(struct progress *progress);

#endif
