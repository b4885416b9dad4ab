/* SPDX-License-Identifier: MIT */
#include "card.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <wpool/wpool.h>

#include "bench.h"

/* The build system tells these. */
#ifdef BENCH_HAVE_REVISION
#include "bench_revision.h"
#endif
#ifndef BENCH_REVISION
#define BENCH_REVISION "unknown"
#endif
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown"
#endif

#define WATCH_NS 300000000u

/* Others may take this many CPUs before the figures are called disturbed. */
#define OTHERS_MAX 0.1

static void copy(char *to, const char *from)
{
	snprintf(to, CARD_TEXT, "%s", from);
}

static void read_line_or(const char *path, const char *otherwise, char *to)
{
	if (!procfs_line(path, to, CARD_TEXT) || to[0] == '\0')
		copy(to, otherwise);
}

/* "model name" on x86; arm64 kernels give numbers only, a device tree often has a name. */
static void look_at_cpu(struct card *card)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	card->cpu[0] = '\0';
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		const char *colon = strchr(line, ':');

		if (colon == NULL || strncmp(line, "model name", 10) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		copy(card->cpu, colon + 1 + (colon[1] == ' '));
		break;
	}
	if (file != NULL)
		fclose(file);
	if (card->cpu[0] == '\0')
		read_line_or("/sys/firmware/devicetree/base/model", "unknown", card->cpu);
	card->cpus_online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	card->cpus_usable = wp_usable_cpus();
}

/* "L1d 32K, L1i 32K, L2 512K, L3 32768K" of the first CPU. */
static void look_at_caches(struct card *card)
{
	static const char base[] = "/sys/devices/system/cpu/cpu0/cache/index";
	size_t used = 0;

	card->caches[0] = '\0';
	for (unsigned i = 0; i < 8; i++) {
		char path[128], level[16], type[32], size[32];
		int n;

		snprintf(path, sizeof(path), "%s%u/level", base, i);
		if (!procfs_line(path, level, sizeof(level)))
			break;
		snprintf(path, sizeof(path), "%s%u/type", base, i);
		procfs_line(path, type, sizeof(type));
		snprintf(path, sizeof(path), "%s%u/size", base, i);
		procfs_line(path, size, sizeof(size));
		n = snprintf(card->caches + used, CARD_TEXT - used, "%sL%s%s %s",
			i == 0 ? "" : ", ", level,
			type[0] == 'D'   ? "d"
			: type[0] == 'I' ? "i"
					 : "",
			size);
		if (n < 0 || (size_t)n >= CARD_TEXT - used)
			break;
		used += (size_t)n;
	}
	if (card->caches[0] == '\0')
		copy(card->caches, "unknown");
}

static void look_at_system(struct card *card)
{
	static const char governor[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
	static const char clock[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	struct utsname name;

	if (uname(&name) == 0)
		snprintf(card->kernel, CARD_TEXT, "%.60s %.100s %.60s", name.sysname, name.release,
			name.machine);
	else
		copy(card->kernel, "unknown");
	read_line_or(governor, "none visible", card->governor);
	read_line_or(clock, "unknown", card->clocksource);
	if (getloadavg(card->load, 3) != 3)
		card->load[0] = card->load[1] = card->load[2] = 0;
}

static void look_at_build(struct card *card)
{
#if defined(__clang__)
	copy(card->compiler, "clang " __clang_version__);
#else
	copy(card->compiler, "gcc " __VERSION__);
#endif
	copy(card->flags, BENCH_FLAGS);
	copy(card->wpool_version, wp_version());
	copy(card->revision, BENCH_REVISION);
}

/* Of this process, and of the children in which some workloads run. */
static uint64_t own_cpu_ns(void)
{
	struct rusage children;
	uint64_t us = 0;

	if (getrusage(RUSAGE_CHILDREN, &children) == 0)
		us = (uint64_t)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000 +
		     (uint64_t)(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
	return bench_cpu_ns() + us * 1000;
}

void card_begin(struct card *card, bool pinned)
{
	time_t now = time(NULL);
	struct tm utc;

	memset(card, 0, sizeof(*card));
	look_at_cpu(card);
	look_at_caches(card);
	look_at_system(card);
	look_at_build(card);
	copy(card->date, "unknown");
	if (gmtime_r(&now, &utc) != NULL)
		strftime(card->date, CARD_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc);
	card->pinned = pinned;
	card->others_before = procfs_others(WATCH_NS, card->others, sizeof(card->others));
	card->disturbed = card->others_before > OTHERS_MAX;
	card->others_during = card->stolen_during = -1;
	procfs_machine(&card->machine_begin);
	card->cpu_begin_ns = own_cpu_ns();
	card->begin_ns = bench_now_ns();
}

void card_end(struct card *card)
{
	double seconds = (double)(bench_now_ns() - card->begin_ns) / 1e9;
	double own = (double)(own_cpu_ns() - card->cpu_begin_ns) / 1e9;
	struct procfs_machine now;
	double others;

	if (seconds < 0.1 || !procfs_machine(&now))
		return;
	others = (now.busy - card->machine_begin.busy - own) / seconds;
	/* The kernel counts in hundredths of a second: a little below zero is zero. */
	card->others_during = others > 0 ? others : 0;
	card->stolen_during = (now.stolen - card->machine_begin.stolen) / seconds;
	if (card->others_during > OTHERS_MAX || card->stolen_during > OTHERS_MAX)
		card->disturbed = true;
}

void card_print(const struct card *card, FILE *out)
{
	fprintf(out, "cpu        %s; %u online, %u usable\n", card->cpu, card->cpus_online,
		card->cpus_usable);
	fprintf(out, "caches     %s\n", card->caches);
	fprintf(out, "kernel     %s; governor: %s; clock: %s\n", card->kernel, card->governor,
		card->clocksource);
	fprintf(out, "compiler   %s; %s\n", card->compiler, card->flags);
	fprintf(out, "wpool      %s, revision %s\n", card->wpool_version, card->revision);
	fprintf(out, "date       %s; load %.2f %.2f %.2f; threads %s\n", card->date, card->load[0],
		card->load[1], card->load[2],
		card->pinned ? "pinned" : "not pinned (but the raw limit's)");
	if (card->others_before > OTHERS_MAX)
		fprintf(out, "WARNING    other processes are using %.1f CPUs: %.46s\n",
			card->others_before, card->others);
	if (card->cpus_usable < 2)
		fputs("WARNING    with one CPU the raw limit and the ratios mean nothing\n", out);
}

void card_print_end(const struct card *card, FILE *out)
{
	if (card->others_during < 0)
		return;
	fprintf(out, "%smeanwhile other processes used %.2f CPUs",
		card->disturbed ? "WARNING: " : "", card->others_during);
	if (card->stolen_during > 0.005)
		fprintf(out, ", the host took %.2f", card->stolen_during);
	fputs(card->disturbed ? ": do not quote these figures\n" : "\n", out);
}
