/* SPDX-License-Identifier: MIT */
/*
 * The plain runner: main() of a unit test without Criterion.
 *
 * Each test runs in a forked child that ends through exit(), so that LeakSanitizer has its say.
 * The parent has no threads, waits with a limit, and reports how the child ended.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

#define EXIT_SKIPPED 77

enum outcome { PASSED, FAILED, SKIPPED };

static struct t__test *tests, **tests_end = &tests;
static bool forking = true;

void t__register(struct t__test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

_Noreturn void t__skip(const char *reason)
{
	printf("skipped: %s\n", reason);
	exit(EXIT_SKIPPED);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* True when the child has ended within the limit. SIGCHLD is blocked. */
static bool wait_for(pid_t child, double limit, int *status)
{
	double end = now() + limit;
	sigset_t chld;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		double left = end - now();
		if (left <= 0)
			return false;
		struct timespec t = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
		sigtimedwait(&chld, NULL, &t);
	}
}

/* Shows what each thread of a hanging test does. */
static void show_threads(pid_t child)
{
	char path[512], line[512];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)child);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		printf("    thread %s:", e->d_name);
		static const char *const files[] = { "comm", "wchan", "stat" };
		for (size_t i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)child, e->d_name,
				files[i]);
			FILE *f = fopen(path, "r");
			if (f && fgets(line, sizeof(line), f)) {
				line[strcspn(line, "\n")] = '\0';
				/* "pid (name) S ..." */
				const char *state = strrchr(line, ')');
				printf(" %.*s", i == 2 ? 1 : 40,
					i == 2 && state ? state + 2 : line);
			}
			if (f)
				fclose(f);
		}
		printf("\n");
	}
	closedir(dir);
}

static enum outcome judge(const struct t__test *test, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return PASSED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		return SKIPPED;
	printf("FAILED  %s/%s: ", test->suite, test->name);
	if (WIFSIGNALED(status))
		printf("killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("exit status %d\n", WEXITSTATUS(status));
	return FAILED;
}

static _Noreturn void child_main(const struct t__test *test, const sigset_t *mask)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	test->run();
	exit(0);
}

static enum outcome run(const struct t__test *test, double scale)
{
	if (!forking) {
		test->run();
		return PASSED;
	}
	sigset_t chld, before;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &before);
	fflush(NULL);
	pid_t child = fork();
	if (child < 0) {
		printf("FAILED  %s/%s: fork: %s\n", test->suite, test->name, strerror(errno));
		return FAILED;
	}
	if (child == 0)
		child_main(test, &before);
	setpgid(child, child);
	int status;
	enum outcome outcome = FAILED;
	if (wait_for(child, test->timeout * scale, &status)) {
		outcome = judge(test, status);
	} else {
		printf("FAILED  %s/%s: hangs: killed after %.0f s\n", test->suite, test->name,
			test->timeout * scale);
		show_threads(child);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	kill(-child, SIGKILL); /* children that the test left behind */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return outcome;
}

static bool chosen(const struct t__test *test, const char *filter)
{
	char name[256];
	snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
	return !filter || fnmatch(filter, name, 0) == 0;
}

static void usage(FILE *to, const char *program)
{
	fprintf(to,
		"usage: %s [--list] [--filter GLOB] [--no-fork] [-v]\n"
		"  --list         print the tests as suite/name\n"
		"  --filter GLOB  only the tests whose suite/name matches\n"
		"  --no-fork      in this process and without a limit, for a debugger\n"
		"  -v             print each test and its time\n",
		program);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "list", no_argument, NULL, 'l' },
		{ "filter", required_argument, NULL, 'f' }, { "no-fork", no_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	const char *filter = NULL, *scale_text = getenv("WP_TEST_TIMEOUT_SCALE");
	double scale = scale_text && atof(scale_text) > 0 ? atof(scale_text) : 1;
	bool list = false, verbose = false;
	for (int c; (c = getopt_long(argc, argv, "lf:nvh", options, NULL)) != -1;) {
		if (c == 'f')
			filter = optarg;
		else if (c == 'v')
			verbose = true;
		else if (c == 'l')
			list = true;
		else if (c == 'n')
			forking = false;
		else
			return usage(c == 'h' ? stdout : stderr, argv[0]), c == 'h' ? 0 : 2;
	}
	size_t count[3] = { 0 };
	for (const struct t__test *test = tests; test; test = test->next) {
		if (!chosen(test, filter))
			continue;
		if (list) {
			printf("%s/%s\n", test->suite, test->name);
			continue;
		}
		double begin = now();
		enum outcome outcome = run(test, scale);
		count[outcome]++;
		if (verbose && outcome != FAILED)
			printf("%s %s/%s %.3f s\n", outcome == PASSED ? "passed " : "skipped",
				test->suite, test->name, now() - begin);
		fflush(stdout);
	}
	if (!list)
		printf("%zu passed, %zu failed, %zu skipped\n", count[PASSED], count[FAILED],
			count[SKIPPED]);
	return count[FAILED] ? 1 : 0;
}
