/* SPDX-License-Identifier: MIT */
/*
 * seg_bench: measures wpool. See bench.h for how it is built, each workload's file for what it
 * measures, harness.h for how rounds are run, and --help for how to use it.
 */
#include <errno.h>
#include <string.h>

#include "args.h"
#include "bench.h"
#include "card.h"
#include "harness.h"
#include "interrupt.h"
#include "report.h"

#define STATUS_INTERRUPTED 130

/* A file that cannot be written is better known before the measurement than after. */
static void check_writable(const char *path)
{
	FILE *file;

	if (path == NULL || strcmp(path, "-") == 0)
		return;
	file = fopen(path, "ae");
	if (file == NULL)
		bench_die("%s: %s", path, strerror(errno));
	fclose(file);
}

static void write_json(const struct harness *h, const struct card *card, const struct args *args)
{
	FILE *file = stdout;
	bool failed;

	if (args->json == NULL)
		return;
	if (strcmp(args->json, "-") != 0)
		file = fopen(args->json, "we");
	if (file == NULL)
		bench_die("%s: %s", args->json, strerror(errno));
	report_json(h, card, args, file);
	errno = 0;
	failed = ferror(file) != 0 || fflush(file) != 0;
	if (failed && errno != EPIPE)
		bench_die("%s: %s", args->json, errno != 0 ? strerror(errno) : "write failed");
	if (file != stdout)
		fclose(file);
}

int main(int argc, char **argv)
{
	bool json_on_stdout;
	struct harness harness;
	struct args args;
	struct card card;
	FILE *out;

	if (args_parse(&args, argc, argv) == ARGS_EXIT) {
		if (ferror(stdout) != 0 || fflush(stdout) != 0)
			bench_die("standard output could not be written");
		return args.status;
	}
	interrupt_install();
	check_writable(args.json);
	json_on_stdout = args.json != NULL && strcmp(args.json, "-") == 0;
	out = json_on_stdout ? stderr : stdout;
	card_begin(&card, args.pin);
	card_print(&card, out);
	fputc('\n', out);
	fflush(out);
	harness_plan(&harness, &args);
	harness_run(&harness);
	card_end(&card);
	write_json(&harness, &card, &args);
	if (!harness.complete)
		fputs("INTERRUPTED: what follows was measured so far\n", out);
	report_table(&harness, out);
	card_print_end(&card, out);
	errno = 0;
	/* A reader that has seen enough (head) is no failure; a full disk is one. */
	if (fflush(out) != 0 && errno != EPIPE)
		bench_die("the table could not be written: %s", strerror(errno));
	harness_fini(&harness);
	return harness.complete ? 0 : STATUS_INTERRUPTED;
}
