/* SPDX-License-Identifier: MIT */
#include "args.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <wpool/wpool.h>

#define RUNS_DEFAULT 5
#define RUNS_QUICK   3
#define RUNS_MAX     1000
#define THREADS_MAX  WP_WORKERS_MAX
#define BATCH_MAX    65536
#define JOBS_MAX     10000000000u

static void print_help(void)
{
	fputs("usage: " BENCH_NAME " [option ...]\n"
	      "Measures " BENCH_ABOUT ", in nanoseconds per job, side by\n"
	      "side with the time that the bare hand-over of the same bytes between two cores\n"
	      "takes (the raw limit).\n"
	      "\n"
	      "  --list               name the workloads and leave\n"
	      "  --filter GLOB[,GLOB] only these workloads; the raw limit is always measured\n"
	      "  --jobs N             jobs per run, instead of each workload's own number; not "
	      "for\n"
	      "                       the raw limit, and where a job takes long only downwards\n"
	      "  --runs N             measured rounds after one warm-up round (default 5)\n"
	      "  --producers LIST     threads that push or submit\n"
	      "  --workers LIST       workers of a pool, or threads that pop\n"
	      "  --batch LIST         jobs per call in queue_batch and pool_batch\n"
	      "  --segment-size LIST  slots per segment, in every workload with a queue or pool\n"
	      "  --profile LIST       profiles of a pool: balanced, latency, eco (default: the "
	      "library's)\n"
	      "  --capacity N         jobs that a queue or pool holds (default: the library's)\n"
	      "  --pin                bind workers to CPUs, and producers to the ones after them\n"
	      "  --quick              few jobs, 3 rounds: to see that it works, not to quote\n"
	      "  --json FILE          write everything measured to FILE; - is stdout, and then "
	      "the\n"
	      "                       table goes to stderr\n"
	      "  --help, --version\n"
	      "\n"
	      "Numbers may be written 1e6, 100k, 1M. A LIST is 1,2,4 or 1..16 (doubling) or both.\n"
	      "Each combination of a workload's lists is a case. A round runs each case once; the\n"
	      "figures are the minimum, median and maximum over the rounds.\n"
	      "\n"
	      "Exit status: 0; 1 a job was lost or run twice, or no memory, thread or file could "
	      "be\n"
	      "had; 2 wrong arguments; 130 interrupted (what was measured so far is printed).\n",
		stdout);
}

static void print_list(void)
{
	for (const struct bench_workload *const *w = bench_workloads; *w != NULL; w++) {
		printf("%-20s %s\n", (*w)->name, (*w)->about);
		if ((*w)->producers != NULL || (*w)->workers != NULL || (*w)->batch != NULL) {
			printf("%-20s ", "");
			if ((*w)->producers != NULL)
				printf("  --producers %s", (*w)->producers);
			if ((*w)->workers != NULL)
				printf("  --workers %s", (*w)->workers);
			if ((*w)->batch != NULL)
				printf("  --batch %s", (*w)->batch);
			if ((*w)->segment_size != NULL && strcmp((*w)->segment_size, "0") != 0)
				printf("  --segment-size %s", (*w)->segment_size);
			putchar('\n');
		}
	}
}

static bool wrong_number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	fprintf(stderr, BENCH_NAME ": %s: '%s' is not a number from %llu to %llu\n", option, text,
		(unsigned long long)least, (unsigned long long)most);
	return false;
}

static bool take_number(
	const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	return numbers_parse_one(text, least, most, value) ||
	       wrong_number(option, text, least, most);
}

static bool take_list(const char *option, const char *text, uint64_t most, struct numbers *list)
{
	if (numbers_parse_list(text, 1, most, list))
		return true;
	fprintf(stderr,
		BENCH_NAME ": %s: '%s' is not a list such as 1,2,4 or 1..16 of numbers from 1 to "
			   "%llu\n",
		option, text, (unsigned long long)most);
	return false;
}

/* 1 + the enum of the name, 0 if there is none. */
static unsigned profile_of(const char *name)
{
	for (unsigned i = 0; strcmp(wp_profile_name((enum wp_profile)i), "unknown") != 0; i++)
		if (strcmp(wp_profile_name((enum wp_profile)i), name) == 0)
			return i + 1;
	return 0;
}

static bool take_profiles(const char *text, struct numbers *list)
{
	const char *rest = text;

	list->count = 0;
	do {
		size_t length = strcspn(rest, ",");
		char one[32];
		unsigned profile;

		snprintf(one, sizeof(one), "%.*s", (int)length, rest);
		profile = length < sizeof(one) ? profile_of(one) : 0;
		if (profile == 0 || list->count == NUMBERS_MAX) {
			fprintf(stderr,
				BENCH_NAME ": --profile: '%s' is not a list of balanced, latency "
					   "and eco\n",
				text);
			return false;
		}
		list->values[list->count++] = profile;
		rest += length + (rest[length] == ',');
		/* A comma at the end promises one more. */
	} while (*rest != '\0' || rest[-1] == ',');
	return true;
}

/* Whether name matches one of the globs. */
static bool matches(const char *globs, const char *name)
{
	while (*globs != '\0') {
		char one[128];
		size_t length = strcspn(globs, ",");

		snprintf(one, sizeof(one), "%.*s", (int)length, globs);
		if (fnmatch(one, name, 0) == 0)
			return true;
		globs += length + (globs[length] == ',');
	}
	return false;
}

bool args_selects(const struct args *args, const struct bench_workload *workload)
{
	return args->filter == NULL || matches(args->filter, workload->name);
}

/* A word for who asks for what this build could have and has not. */
static const char *left_out(const char *glob)
{
#ifndef BENCH_HAVE_NETTLE
	if (fnmatch(glob, "scale_sha256", 0) == 0)
		return " (scale_sha256 needs nettle, which was not found when this was built)";
#else
	(void)glob;
#endif
	return "";
}

/* Each glob must select something: a misspelt name is not to be passed over in silence. */
static bool check_filter(const char *filter)
{
	const char *rest = filter;

	do {
		size_t length = strcspn(rest, ",");
		char one[128];
		bool found = false;

		snprintf(one, sizeof(one), "%.*s", (int)length, rest);
		for (size_t i = 0; bench_workloads[i] != NULL && !found; i++)
			found = fnmatch(one, bench_workloads[i]->name, 0) == 0;
		if (!found) {
			fprintf(stderr,
				BENCH_NAME ": --filter: no workload is called '%s'; see --list%s\n",
				one, left_out(one));
			return false;
		}
		rest += length + (rest[length] == ',');
	} while (*rest != '\0');
	return true;
}

enum {
	OPT_LIST = 256,
	OPT_FILTER,
	OPT_JOBS,
	OPT_RUNS,
	OPT_PRODUCERS,
	OPT_WORKERS,
	OPT_BATCH,
	OPT_SEGMENT_SIZE,
	OPT_PROFILE,
	OPT_CAPACITY,
	OPT_PIN,
	OPT_QUICK,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, OPT_LIST },
	{ "filter", required_argument, NULL, OPT_FILTER },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "runs", required_argument, NULL, OPT_RUNS },
	{ "producers", required_argument, NULL, OPT_PRODUCERS },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "segment-size", required_argument, NULL, OPT_SEGMENT_SIZE },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "capacity", required_argument, NULL, OPT_CAPACITY },
	{ "pin", no_argument, NULL, OPT_PIN },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* The options with a value; false after a message. */
static bool take_value(struct args *args, int option, const char *text)
{
	uint64_t number = 0;
	bool good = true;

	switch (option) {
	case OPT_FILTER:
		args->filter = text;
		return check_filter(text);
	case OPT_JOBS:
		return take_number("--jobs", text, 1, JOBS_MAX, &args->jobs);
	case OPT_RUNS:
		good = take_number("--runs", text, 1, RUNS_MAX, &number);
		args->runs = (unsigned)number;
		return good;
	case OPT_PRODUCERS:
		return take_list("--producers", text, THREADS_MAX, &args->producers);
	case OPT_WORKERS:
		return take_list("--workers", text, THREADS_MAX, &args->workers);
	case OPT_BATCH:
		return take_list("--batch", text, BATCH_MAX, &args->batch);
	case OPT_SEGMENT_SIZE:
		return take_list("--segment-size", text, WP_SEGMENT_SIZE_MAX, &args->segment_size);
	case OPT_PROFILE:
		return take_profiles(text, &args->profiles);
	case OPT_CAPACITY:
		good = take_number("--capacity", text, 1, WP_CAPACITY_MAX, &number);
		args->capacity = (size_t)number;
		return good;
	case OPT_JSON:
		args->json = text;
		return true;
	default:
		return false; /* getopt has told what is wrong */
	}
}

static enum args_action leave(struct args *args, int status)
{
	args->status = status;
	return ARGS_EXIT;
}

enum args_action args_parse(struct args *args, int argc, char **argv)
{
	/* What getopt puts before its messages. */
	static char name[] = BENCH_NAME;
	int option;

	*args = (struct args){ 0 };
	if (argc > 0)
		argv[0] = name;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_HELP:
			print_help();
			return leave(args, 0);
		case OPT_LIST:
			print_list();
			return leave(args, 0);
		case OPT_VERSION:
			printf(BENCH_NAME " %s\n", wp_version());
			return leave(args, 0);
		case OPT_PIN:
			args->pin = true;
			break;
		case OPT_QUICK:
			args->quick = true;
			break;
		default:
			if (!take_value(args, option, optarg))
				return leave(args, 2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, BENCH_NAME ": '%s' is not an option; see --help\n", argv[optind]);
		return leave(args, 2);
	}
	if (args->runs == 0)
		args->runs = args->quick ? RUNS_QUICK : RUNS_DEFAULT;
	return ARGS_RUN;
}
