/* SPDX-License-Identifier: MIT */
/* The command line of the explorer's programs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"

static struct explore_test *first_test, **last_test = &first_test;

void explore_register(struct explore_test *test)
{
	*last_test = test;
	last_test = &test->next;
}

static const char usage_text[] =
	"usage: %s [options]\n"
	"  --list             the tests\n"
	"  --labels           the labels of the program's atomic operations\n"
	"  --test NAME        only this one; NAME* for all that begin so\n"
	"  --runs N           executions per test (20000)\n"
	"  --seconds S        and at most so long per test\n"
	"  --seed N           for the random searches (1)\n"
	"  --search KIND      only dfs, pct or random\n"
	"  --broken           the broken form of a known bug\n"
	"  --replay CHOICES   one execution, shown\n"
	"  --regress DIR      only the stored executions in DIR/*.trace\n"
	"  --save DIR         store failures there\n"
	"  --shard I/N        every N-th test, beginning with the I-th (from 0)\n"
	"  --weaken LABEL     the operations with the label become relaxed\n"
	"  --drop-acquire LABEL, --drop-release LABEL\n"
	"                     of those that are both, acquire and release, one half\n"
	"  --drop-fence LABEL the fences with the label do nothing\n"
	"  --skip-wake LABEL  the futex wakes with the label do nothing\n"
	"                     LABEL@PART: only in files whose name contains PART\n"
	"  --kill             with a mutation: passes when some test fails, and says which\n"
	"  --verbose\n"
	"Ends with 'N passed, N failed'.\n";

struct command {
	struct settings s;
	const char *test, *replay, *regress;
	unsigned shard, shards;
	bool list, labels;
};

static void usage(const char *name)
{
	fprintf(stderr, usage_text, name);
	exit(2);
}

static enum mutation mutation_by(int option)
{
	return option == 'w'   ? MUTATE_WEAKEN
	       : option == 'A' ? MUTATE_DROP_ACQUIRE
	       : option == 'B' ? MUTATE_DROP_RELEASE
	       : option == 'f' ? MUTATE_DROP_FENCE
			       : MUTATE_SKIP_WAKE;
}

static void mutate(enum mutation what, const char *label)
{
	if (!rt_mutate(what, label)) {
		fprintf(stderr, "explore: no operation has the label %s\n", label);
		exit(2);
	}
}

static int search_named(const char *name)
{
	static const char *const names[] = { "dfs", "pct", "random" };
	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -2;
}

static void set_shard(struct command *c, const char *text, const char *name)
{
	if (sscanf(text, "%u/%u", &c->shard, &c->shards) != 2 || !c->shards)
		usage(name);
}

static void parse(struct command *c, int argc, char **argv)
{
	static const struct option options[] = { { "help", 0, NULL, 'h' }, { "list", 0, NULL, 'l' },
		{ "labels", 0, NULL, 'L' }, { "test", 1, NULL, 't' }, { "runs", 1, NULL, 'n' },
		{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'S' }, { "search", 1, NULL, 'k' },
		{ "broken", 0, NULL, 'b' }, { "replay", 1, NULL, 'r' }, { "regress", 1, NULL, 'R' },
		{ "save", 1, NULL, 'o' }, { "shard", 1, NULL, 'i' }, { "weaken", 1, NULL, 'w' },
		{ "drop-acquire", 1, NULL, 'A' }, { "drop-release", 1, NULL, 'B' },
		{ "drop-fence", 1, NULL, 'f' }, { "skip-wake", 1, NULL, 'W' },
		{ "kill", 0, NULL, 'K' }, { "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 } };
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'l':
			c->list = true;
			break;
		case 'L':
			c->labels = true;
			break;
		case 't':
			c->test = optarg;
			break;
		case 'n':
			c->s.runs = strtoull(optarg, NULL, 10);
			break;
		case 's':
			c->s.seconds = strtod(optarg, NULL);
			break;
		case 'S':
			c->s.seed = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			c->s.only = search_named(optarg);
			if (c->s.only < 0)
				usage(argv[0]);
			break;
		case 'b':
			c->s.broken = true;
			break;
		case 'r':
			c->replay = optarg;
			break;
		case 'R':
			c->regress = optarg;
			break;
		case 'o':
			c->s.save = optarg;
			break;
		case 'i':
			set_shard(c, optarg, argv[0]);
			break;
		case 'w':
		case 'A':
		case 'B':
		case 'f':
		case 'W':
			mutate(mutation_by(o), optarg);
			break;
		case 'K':
			c->s.kill = true;
			break;
		case 'v':
			c->s.verbose = c->s.list_outcomes = true;
			break;
		default:
			usage(argv[0]);
		}
	}
	if (optind < argc)
		usage(argv[0]);
}

static bool selected(const char *pattern, const char *name)
{
	if (!pattern)
		return true;
	size_t n = strlen(pattern);
	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static unsigned passed, failed;

static void count(enum verdict v)
{
	if (v == PASSED)
		passed++;
	else
		failed++;
}

/* ---- stored executions ---- */

struct stored {
	char test[128], how[32], label[64], choices[8192];
	bool broken;
};

static bool read_stored(const char *path, struct stored *stored)
{
	static char line[8192];
	memset(stored, 0, sizeof(*stored));
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "test %127s", stored->test);
		sscanf(line, "choices %8191s", stored->choices);
		if (sscanf(line, "mutant %31s %63s", stored->how, stored->label) == 2 ||
			strncmp(line, "form broken", 11) == 0)
			stored->broken = true;
	}
	if (f)
		fclose(f);
	return rt_parse_choices(stored->choices);
}

/* The mutation that a file asks for; false: there is no such thing. */
static bool mutate_as_stored(const struct stored *stored)
{
	for (unsigned i = MUTATE_WEAKEN; i < MUTATIONS; i++)
		if (strcmp(stored->how, rt_mutation_names[i]) == 0)
			return rt_mutate((enum mutation)i, stored->label);
	return !stored->how[0];
}

/*
 * A file has lines "test NAME", "form fixed" or "form broken" or "mutant HOW LABEL", and "choices
 * STRING"; others are comments. The fixed form must pass, the broken one and the mutant must fail;
 * and what the mutant fails with must pass without the mutation.
 */
static void run_file(const char *path)
{
	static struct stored stored;
	bool readable = read_stored(path, &stored);
	struct explore_test *test = first_test;
	while (test && strcmp(test->name, stored.test) != 0)
		test = test->next;
	if (!test)
		return; /* another program's */
	bool mutated = readable && mutate_as_stored(&stored);
#ifdef __clang__
	/* It merges the ends of functions, whose places are then not known. */
	if (readable && !mutated && stored.how[0]) {
		printf("skipped %s: this build does not know where %s is\n", path, stored.label);
		return;
	}
#endif
	if (!readable || !mutated) {
		printf("FAILED %s: no replay string, or no such label\n", path);
		failed++;
		return;
	}
	enum verdict v = rt_run_replay(test, stored.broken && !stored.how[0], !stored.broken);
	rt_mutate_nothing();
	if (stored.broken) {
		const char *form = stored.how[0] ? stored.label : "broken form";
		printf("%s %s (stored, %s)\n", v == FAILED ? "passed" : "FAILED", test->name, form);
		v = v == FAILED ? PASSED : FAILED;
	}
	count(v);
	if (stored.how[0] && rt_parse_choices(stored.choices))
		count(rt_run_replay(test, false, true));
}

static void run_directory(const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		size_t length = strlen(entries[i]->d_name);
		if (length > 6 && strcmp(entries[i]->d_name + length - 6, ".trace") == 0) {
			char path[1024];
			snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
			run_file(path);
		}
		free(entries[i]);
	}
	free(entries);
}

/* ---- tests ---- */

static enum verdict run_one(struct explore_test *test, const struct command *c)
{
	rt->evictions = false;
	if (c->replay) {
		if (!rt_parse_choices(c->replay))
			return FAILED;
		return rt_run_replay(test, c->s.broken, true);
	}
	/* A mutant has to be noticed in the form that is right. */
	if (test->has_bug && !c->s.broken && !c->s.kill)
		return rt_run_bug(test, &c->s);
	if (test->allowed)
		return rt_run_litmus(test, &c->s);
	return rt_run_test(test, &c->s);
}

int main(int argc, char **argv)
{
	struct command c = { .s = { .runs = 20000, .seed = 1, .only = -1 }, .shards = 1 };
	rt_init();
	parse(&c, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (c.labels) {
		rt_list_labels();
		return 0;
	}
	double start = rt_seconds();
	unsigned i = 0;
	if (c.regress)
		run_directory(c.regress);
	for (struct explore_test *t = c.regress ? NULL : first_test; t; t = t->next) {
		if (!selected(c.test, t->name) || i++ % c.shards != c.shard)
			continue;
		if (c.list)
			printf("%s\n", t->name);
		else
			count(run_one(t, &c));
		if (c.s.kill && failed)
			break;
	}
	if (c.list)
		return 0;
	if (c.s.kill) {
		passed = failed ? 1 : 0;
		failed = !passed;
		if (failed)
			printf("survived\n");
	}
	double took = rt_seconds() - start;
	printf("%llu executions of %.1f steps on average in %.1f s: %.0f per second\n",
		(unsigned long long)rt->executions,
		rt->executions ? (double)rt->steps_total / (double)rt->executions : 0, took,
		(double)rt->executions / took);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || (passed == 0 && !c.regress);
}
