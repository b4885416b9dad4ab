/* SPDX-License-Identifier: MIT */
#include "procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define PROCESSES_MAX 4096
#define NAMES_SHOWN   3

bool procfs_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found;

	line[0] = '\0';
	if (file == NULL)
		return false;
	found = fgets(line, (int)size, file) != NULL;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return found;
}

/* Adds up "voluntary_ctxt_switches:" and "nonvoluntary_ctxt_switches:" of a status file. */
static bool read_switches(const char *path, uint64_t *switches)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool found = false;

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *value = strstr(line, "voluntary_ctxt_switches:");

		if (value != NULL) {
			*switches += strtoull(strchr(value, ':') + 1, NULL, 10);
			found = true;
		}
	}
	fclose(file);
	return found;
}

bool procfs_other_threads(struct procfs_threads *sum)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	long self = (long)gettid();
	bool good = dir != NULL;

	memset(sum, 0, sizeof(*sum));
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[64 + sizeof(entry->d_name)], line[128];

		if (!isdigit((unsigned char)entry->d_name[0]) || atol(entry->d_name) == self)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", entry->d_name);
		if (!procfs_line(path, line, sizeof(line)))
			good = false;
		sum->cpu_ns += strtoull(line, NULL, 10);
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		if (!read_switches(path, &sum->switches))
			good = false;
		sum->threads++;
	}
	if (dir != NULL)
		closedir(dir);
	return good;
}

bool procfs_machine(struct procfs_machine *m)
{
	/* user nice system idle iowait irq softirq steal */
	double t[8] = { 0 };
	double second = (double)sysconf(_SC_CLK_TCK);
	char line[512];

	if (!procfs_line("/proc/stat", line, sizeof(line)) || strncmp(line, "cpu ", 4) != 0)
		return false;
	if (sscanf(line + 4, "%lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4],
		    &t[5], &t[6], &t[7]) < 4)
		return false;
	m->busy = (t[0] + t[1] + t[2] + t[5] + t[6]) / second;
	m->stolen = t[7] / second;
	return true;
}

struct process {
	long pid;
	uint64_t ticks;
	char name[32];
};

/* "pid (name) state ... utime stime": the name may contain anything, also brackets. */
static bool read_process(const char *pid, struct process *process)
{
	char path[64], line[1024], *open, *close;
	unsigned long long user, kernel;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (!procfs_line(path, line, sizeof(line)))
		return false;
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (open == NULL || close == NULL || close < open)
		return false;
	if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
		    &kernel) != 2)
		return false;
	process->pid = atol(pid);
	process->ticks = user + kernel;
	snprintf(process->name, sizeof(process->name), "%.*s", (int)(close - open - 1), open + 1);
	return true;
}

static size_t read_processes(struct process *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	if (dir == NULL)
		return 0;
	while (count < PROCESSES_MAX && (entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			read_process(entry->d_name, &list[count]))
			count++;
	closedir(dir);
	return count;
}

/* Turns the times of `after` into those used since `before`; our own becomes 0. Returns the sum. */
static uint64_t subtract(
	const struct process *before, size_t before_count, struct process *after, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < before_count; j++)
			if (before[j].pid == after[i].pid && before[j].ticks <= after[i].ticks) {
				after[i].ticks -= before[j].ticks;
				break;
			}
		if (after[i].pid == (long)getpid())
			after[i].ticks = 0;
		sum += after[i].ticks;
	}
	return sum;
}

static int by_ticks(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return x->ticks < y->ticks ? 1 : x->ticks > y->ticks ? -1 : 0;
}

double procfs_others(uint64_t ns, char *text, size_t size)
{
	struct process *before = bench_alloc(PROCESSES_MAX, sizeof(*before));
	struct process *after = bench_alloc(PROCESSES_MAX, sizeof(*after));
	double ticks = (double)sysconf(_SC_CLK_TCK) * (double)ns / 1e9;
	size_t before_count = read_processes(before), count, used = 0;
	uint64_t sum;

	bench_sleep_ns(ns);
	count = read_processes(after);
	sum = subtract(before, before_count, after, count);
	qsort(after, count, sizeof(*after), by_ticks);
	text[0] = '\0';
	for (size_t i = 0; i < count && i < NAMES_SHOWN && after[i].ticks != 0; i++) {
		int n = snprintf(text + used, size - used, "%s%s %.1f", i == 0 ? "" : ", ",
			after[i].name, (double)after[i].ticks / ticks);

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	free(before);
	free(after);
	return before_count == 0 ? -1 : (double)sum / ticks;
}
