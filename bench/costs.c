/* SPDX-License-Identifier: MIT */
#include "costs.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "mallocs.h"

static bool can_count(void)
{
	static int known = -1;

	if (known < 0)
		known = mallocs_available();
	return known != 0;
}

void costs_begin(void)
{
	if (can_count())
		mallocs_begin();
}

void costs_end(struct bench_sample *sample)
{
	uint64_t calls = 0;
	struct mallocs seen;

	if (!can_count())
		return;
	seen = mallocs_end();
	for (int kind = 0; kind < MALLOCS_KINDS; kind++)
		if (kind != MALLOCS_FREE)
			calls += seen.calls[kind];
	bench_sample_add(sample, "heap calls", "", (double)calls);
}

/* A line "Name:  123 kB" of /proc/self/status, in bytes; 0 if there is none. */
static uint64_t status_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(name);
	uint64_t bytes = 0;
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, length) == 0)
			bytes = strtoull(line + length, NULL, 10) * 1024;
	if (file != NULL)
		fclose(file);
	return bytes;
}

uint64_t costs_resident_bytes(void)
{
	return status_bytes("VmRSS:");
}

uint64_t costs_peak_bytes(void)
{
	return status_bytes("VmHWM:");
}

static bool reset_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, "5", 1) == 1;
	close(fd);
	return done;
}

bool costs_can_reset_peak(void)
{
	static int known = -1;

	if (known < 0)
		known = reset_peak();
	return known != 0;
}

/* In a child the mark is its own from the beginning; setting it back then does no harm. */
static void measure(const struct bench_workload *workload, const struct bench_params *params,
	struct bench_sample *sample)
{
	uint64_t before, peak;

	malloc_trim(0);
	(void)reset_peak();
	before = costs_resident_bytes();
	workload->run(params, sample);
	peak = costs_peak_bytes();
	bench_sample_add(sample, "peak memory", "MiB",
		peak > before ? (double)(peak - before) / (1024.0 * 1024.0) : 0);
}

void costs_run(const struct bench_workload *workload, const struct bench_params *params,
	struct bench_sample *sample)
{
	if (workload->own_process || !costs_can_reset_peak())
		child_run(measure, workload, params, sample);
	else
		measure(workload, params, sample);
}
