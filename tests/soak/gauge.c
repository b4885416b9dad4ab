/* SPDX-License-Identifier: MIT */
/* What is read between two laps, when nothing runs: memory, and latency under one fixed load. */
#define _GNU_SOURCE
#include "soak.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAITS 2000u
#define JOBS  200000u

static int no_work(void *payload)
{
	(void)payload;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void read_latency(struct soak_reading *reading)
{
	static uint64_t times[WAITS];
	struct wp_options options = WP_OPTIONS_INIT;
	struct wp_job job = { .fn = no_work };
	struct wp_pool *pool;
	options.workers = 1;
	int error = wp_pool_create(&pool, &options);
	if (error) {
		soak_complain("gauge: wp_pool_create returned %d", error);
		return;
	}
	for (unsigned i = 0; i < WAITS; i++) {
		uint64_t begin = wp_now_ns();
		wp_submit_wait(pool, &job);
		times[i] = wp_now_ns() - begin;
	}
	uint64_t begin = wp_now_ns();
	for (unsigned i = 0; i < JOBS; i++)
		wp_submit(pool, no_work, NULL);
	wp_pool_wait(pool, WP_FOREVER);
	reading->job_ns = (double)(wp_now_ns() - begin) / JOBS;
	wp_pool_destroy(pool);
	qsort(times, WAITS, sizeof(times[0]), by_size);
	reading->wait_p50 = times[WAITS / 2];
	reading->wait_p99 = times[WAITS - WAITS / 100];
}

static unsigned entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned n = 0;
	if (!folder)
		return 0;
	for (struct dirent *e; (e = readdir(folder));)
		n += e->d_name[0] != '.';
	closedir(folder);
	return n;
}

static void read_memory(struct soak_reading *reading)
{
	char text[128];
	unsigned long size = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (wp__os_read_file("/proc/self/statm", text, sizeof(text)) > 0)
		sscanf(text, "%lu %lu", &size, &resident);
	reading->reserved = size * page;
	reading->resident = resident * page;
	struct mallinfo2 info = mallinfo2();
	reading->heap = info.uordblks + info.hblkhd;
	reading->threads = entries("/proc/self/task");
	reading->files = entries("/proc/self/fd");
}

void soak_read(struct soak_reading *reading)
{
	*reading = (struct soak_reading){ 0 };
	read_latency(reading);
	read_memory(reading);
}
