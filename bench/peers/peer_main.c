/* SPDX-License-Identifier: MIT */
/*
 * The frame of a program of bench/peers: its command line, and its output, which has the form of
 * seg_bench's (see ../report_json.c) with the name of the adapter added to each result. See --help.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/wpool.h>

#include "../interrupt.h"
#include "../numbers.h"
#include "peer_run.h"

#define THREADS_MAX 1024
#define JOBS_MAX    1000000000u
#define RUNS_MAX    1000

struct args {
	const char *peer;
	const char *json;
	const char *loop;
	const char *task;
	uint64_t producers;
	uint64_t workers;
	uint64_t jobs;
	uint64_t runs;
};

static void print_help(const char *name)
{
	printf("usage: %s [option ...]\n"
	       "Measures %s in nanoseconds per job; see tools/bench-peers, which runs this.\n"
	       "\n"
	       "  --list         the adapters, one a line, with tabs between: queue or pool; "
	       "name;\n"
	       "                 single or bulk; most producers; most workers (0: any number, -:\n"
	       "                 cannot be chosen); what it does\n"
	       "  --peer NAME    the adapter to run\n"
	       "  --producers N  threads that push or submit (default 1)\n"
	       "  --workers N    workers of a pool, or consumers (default 1)\n"
	       "  --loop WHICH   consumers of a queue look for jobs: paced (default) or at once\n"
	       "                 (plain)\n"
	       "  --task WHICH   jobs of a pool do nothing (empty, default), 100,000 additions "
	       "(cpu)\n"
	       "                 or sleep 1 ms (io)\n"
	       "  --jobs N       per run (default 100k)\n"
	       "  --runs N       default 1\n"
	       "  --json FILE    result in the form of seg_bench's; - (default) is stdout\n"
	       "  --help\n"
	       "\n"
	       "Exit status: 0; 1 a job was lost or run twice, or something could not be had; 2\n"
	       "wrong arguments.\n",
		name, peer_library);
}

static void print_list(void)
{
	for (const struct peer_queue *const *q = peer_queues; *q != NULL; q++)
		printf("queue\t%s\t%s\t%u\t%u\t%s\n", (*q)->name, (*q)->bulk ? "bulk" : "single",
			(*q)->max_producers, (*q)->max_consumers, (*q)->about);
	for (const struct peer_pool *const *p = peer_pools; *p != NULL; p++)
		printf("pool\t%s\t%s\t%u\t%s\t%s\n", (*p)->name, (*p)->bulk ? "bulk" : "single",
			(*p)->max_producers, (*p)->no_workers ? "-" : "0", (*p)->about);
}

_Noreturn static void wrong(const char *program, const char *option, const char *text)
{
	fprintf(stderr, "%s: %s: '%s' is not possible; see --help\n", program, option, text);
	exit(2);
}

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "peer", required_argument, NULL, 'p' },
	{ "producers", required_argument, NULL, 'P' },
	{ "workers", required_argument, NULL, 'W' },
	{ "loop", required_argument, NULL, 'o' },
	{ "task", required_argument, NULL, 't' },
	{ "jobs", required_argument, NULL, 'n' },
	{ "runs", required_argument, NULL, 'r' },
	{ "json", required_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void take_value(struct args *args, const char *program, int option, const char *text)
{
	uint64_t *number = NULL, most = THREADS_MAX;
	const char *name = "";

	for (const struct option *o = long_options; o->name != NULL; o++)
		if (o->val == option)
			name = o->name;
	switch (option) {
	case 'p':
		args->peer = text;
		return;
	case 'j':
		args->json = text;
		return;
	case 'o':
		args->loop = text;
		if (strcmp(text, "paced") != 0 && strcmp(text, "plain") != 0)
			wrong(program, name, text);
		return;
	case 't':
		args->task = text;
		if (!peer_task_choose(text))
			wrong(program, name, text);
		return;
	case 'P':
		number = &args->producers;
		break;
	case 'W':
		number = &args->workers;
		break;
	case 'n':
		number = &args->jobs;
		most = JOBS_MAX;
		break;
	case 'r':
		number = &args->runs;
		most = RUNS_MAX;
		break;
	default:
		exit(2); /* getopt has told what is wrong */
	}
	if (!numbers_parse_one(text, 1, most, number))
		wrong(program, name, text);
}

static struct args parse(int argc, char **argv)
{
	struct args args = { .json = "-",
		.loop = "paced",
		.task = "empty",
		.producers = 1,
		.workers = 1,
		.jobs = 100000,
		.runs = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h' || option == 'l') {
			if (option == 'h')
				print_help(argv[0]);
			else
				print_list();
			exit(fflush(stdout) == 0 ? 0 : 1);
		}
		take_value(&args, argv[0], option, optarg);
	}
	if (optind < argc)
		wrong(argv[0], "argument", argv[optind]);
	if (args.peer == NULL)
		wrong(argv[0], "peer", "");
	return args;
}

/* What is measured: one of the two. */
struct subject {
	const struct peer_queue *queue;
	const struct peer_pool *pool;
};

static struct subject find(const struct args *args, const char *program)
{
	struct subject found = { NULL, NULL };
	unsigned producers = 0, workers = 0;

	for (size_t i = 0; peer_queues[i] != NULL; i++)
		if (strcmp(peer_queues[i]->name, args->peer) == 0)
			found.queue = peer_queues[i];
	for (size_t i = 0; peer_pools[i] != NULL; i++)
		if (strcmp(peer_pools[i]->name, args->peer) == 0)
			found.pool = peer_pools[i];
	if (found.queue != NULL) {
		producers = found.queue->max_producers;
		workers = found.queue->max_consumers;
	} else if (found.pool != NULL) {
		producers = found.pool->max_producers;
	} else {
		wrong(program, "peer", args->peer);
	}
	if ((producers != 0 && args->producers > producers) ||
		(workers != 0 && args->workers > workers)) {
		fprintf(stderr, "%s: %s allows fewer producers or workers; see --list\n", program,
			args->peer);
		exit(2);
	}
	return found;
}

static void number(FILE *out, const char *name, bool has, uint64_t value)
{
	if (has)
		fprintf(out, "\"%s\": %llu, ", name, (unsigned long long)value);
	else
		fprintf(out, "\"%s\": null, ", name);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Minimum, median and maximum of one figure per run. */
static double spread(
	FILE *out, const char *name, const struct bench_sample *samples, uint64_t runs, bool cpu)
{
	double *values = bench_alloc(runs, sizeof(*values)), median;

	for (uint64_t i = 0; i < runs; i++)
		values[i] =
			(cpu ? samples[i].cpu_ns : samples[i].wall_ns) / (double)samples[i].jobs;
	qsort(values, runs, sizeof(*values), by_size);
	median = (values[(runs - 1) / 2] + values[runs / 2]) / 2;
	fprintf(out, "      \"%s\": { \"min\": %.6g, \"median\": %.6g, \"max\": %.6g },\n", name,
		values[0], median, values[runs - 1]);
	free(values);
	return median;
}

static void write_result(FILE *out, const struct args *args, const struct subject *s,
	const struct bench_sample *samples)
{
	bool bulk = s->queue != NULL ? s->queue->bulk : s->pool->bulk;
	const char *workload = s->queue != NULL ? "queue" : peer_task == NULL ? "pool" : args->task;
	double median;

	fprintf(out,
		"    {\n      \"workload\": \"peer_%s\", \"peer\": \"%s\", \"library\": \"%s\", ",
		workload, args->peer, peer_library);
	if (s->queue != NULL)
		fprintf(out, "\"loop\": \"%s\", ", args->loop);
	fputs("\"kind\": \"time\",\n      \"params\": { ", out);
	number(out, "producers", true, args->producers);
	number(out, "workers", s->pool == NULL || !s->pool->no_workers, args->workers);
	number(out, "batch", bulk, PEER_BATCH);
	fprintf(out,
		"\"segment_size\": null, \"capacity\": null, \"rate\": null, \"jobs\": %llu },\n",
		(unsigned long long)args->jobs);
	fputs("      \"runs\": [\n", out);
	for (uint64_t i = 0; i < args->runs; i++)
		fprintf(out,
			"        { \"jobs\": %llu, \"wall_ns\": %.0f, \"cpu_ns\": %.0f, "
			"\"ns_per_job\": %.6g, \"ratio_to_raw_limit\": null, \"values\": {} }%s\n",
			(unsigned long long)samples[i].jobs, samples[i].wall_ns, samples[i].cpu_ns,
			samples[i].wall_ns / (double)samples[i].jobs,
			i + 1 < args->runs ? "," : "");
	fputs("      ],\n", out);
	median = spread(out, "ns_per_job", samples, args->runs, false);
	spread(out, "cpu_ns_per_job", samples, args->runs, true);
	fprintf(out,
		"      \"jobs_per_second\": %.6g,\n      \"ratio_to_raw_limit\": null,\n"
		"      \"values\": {}\n    }",
		median > 0 ? 1e9 / median : 0);
}

static void write_json(
	const struct args *args, const struct subject *subject, const struct bench_sample *samples)
{
	FILE *out = stdout;

	if (strcmp(args->json, "-") != 0)
		out = fopen(args->json, "we");
	if (out == NULL)
		bench_die("%s: %s", args->json, strerror(errno));
	fprintf(out,
		"{\n  \"format\": \"seg_bench/1\",\n  \"complete\": true,\n"
		"  \"machine\": { \"compiler\": \"%s\", \"flags\": \"%s\" },\n"
		"  \"options\": { \"runs\": %llu },\n  \"results\": [\n",
		__VERSION__, PEER_FLAGS, (unsigned long long)args->runs);
	write_result(out, args, subject, samples);
	fputs("\n  ],\n  \"notes\": []\n}\n", out);
	if (ferror(out) != 0 || fflush(out) != 0)
		bench_die("%s: the result could not be written", args->json);
	if (out != stdout)
		fclose(out);
}

int main(int argc, char **argv)
{
	struct args args = parse(argc, argv);
	struct subject subject = find(&args, argv[0]);
	struct bench_sample *samples = bench_alloc(args.runs, sizeof(*samples));
	unsigned threads = (unsigned)(args.producers + args.workers);
	struct peer_case c = {
		.producers = (unsigned)args.producers,
		.workers = (unsigned)args.workers,
		.jobs = args.jobs,
		.paced = strcmp(args.loop, "paced") == 0,
		.crowded = threads > wp_usable_cpus(),
	};

	for (uint64_t i = 0; i < args.runs; i++) {
		if (subject.queue != NULL)
			peer_run_queue(subject.queue, &c, &samples[i]);
		else
			peer_run_pool(subject.pool, &c, &samples[i]);
	}
	write_json(&args, &subject, samples);
	free(samples);
	return 0;
}
