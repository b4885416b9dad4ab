/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <wpool/clock.h>

enum {
	DRAW_INTERVAL_MS = 100,
	LINE_MAX_COLUMNS = 160,
	DEFAULT_COLUMNS = 80, /* of a terminal that does not say how wide it is */
};

static const uint64_t ns_per_s = 1000 * 1000 * 1000;

/* Asked for each drawing: the user may have changed the window. */
static int terminal_columns(void)
{
	struct winsize window;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
		return DEFAULT_COLUMNS;
	return window.ws_col;
}

/*
 * Replaces the line by `text`. What an older, longer line left behind is overwritten with spaces,
 * which needs nothing of the terminal but carriage return.
 */
static void draw(struct progress *progress, const char *text)
{
	int room = terminal_columns() - 1; /* a full line would wrap on some terminals */
	int columns = (int)strlen(text);
	if (columns > room)
		columns = room;
	int padding = progress->columns_used - columns;
	if (padding > room - columns)
		padding = room - columns; /* the window has become narrower */
	if (padding < 0)
		padding = 0;
	fprintf(stderr, "\r%.*s%*s\r", columns, text, padding, "");
	progress->columns_used = columns;
}

/* "735 B", "12.3 MB", "4.5 GB" */
static void format_bytes(char *text, size_t size, double bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	size_t unit = 0;
	while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
		bytes /= 1000;
		unit++;
	}
	snprintf(text, size, "%.*f %s", unit > 0 && bytes < 99.95 ? 1 : 0, bytes, units[unit]);
}

/* "0:07", "12:30", "3:04:05" */
static void format_time(char *text, size_t size, uint64_t seconds)
{
	unsigned s = (unsigned)(seconds % 60);
	unsigned m = (unsigned)(seconds / 60 % 60);
	unsigned long long h = seconds / 3600;
	if (h > 0)
		snprintf(text, size, "%llu:%02u:%02u", h, m, s);
	else
		snprintf(text, size, "%u:%02u", m, s);
}

void progress_begin(struct progress *progress, bool wanted, uint64_t total)
{
	*progress = (struct progress){
		.enabled = wanted && isatty(STDERR_FILENO),
		.total = total,
		.start_ns = wp_now_ns(),
	};
}

void progress_update(struct progress *progress, uint64_t done)
{
	if (!progress->enabled)
		return;
	uint64_t now = wp_now_ns();
	if (now < progress->draw_ns)
		return;
	progress->draw_ns = now + DRAW_INTERVAL_MS * (ns_per_s / 1000);

	double seconds = (double)(now - progress->start_ns + 1) / (double)ns_per_s;
	double rate = (double)done / seconds;
	char bytes[32], speed[32], line[LINE_MAX_COLUMNS];
	format_bytes(bytes, sizeof bytes, (double)done);
	format_bytes(speed, sizeof speed, rate);

	/* A file that grows while it is read can go past the size that it had at first. */
	if (done <= progress->total && rate > 0) {
		char total[32], left[32];
		format_bytes(total, sizeof total, (double)progress->total);
		format_time(left, sizeof left,
			(uint64_t)((double)(progress->total - done) / rate + 0.5));
		snprintf(line, sizeof line, "%3d%%  %s of %s  %s/s  %s left",
			(int)(100.0 * (double)done / (double)progress->total), bytes, total, speed,
			left);
	} else {
		snprintf(line, sizeof line, "%s  %s/s", bytes, speed);
	}
	draw(progress, line);
}

void progress_end(struct progress *progress)
{
	if (progress->columns_used > 0)
		draw(progress, "");
	progress->enabled = false;
}
