/* SPDX-License-Identifier: MIT */
/*
 * Panics: a job gives up from deep inside of a computation, without every function on the way
 * having to hand an error back.
 *
 * Jobs evaluate sums like "1+(2+3)" with a parser that calls itself. At bad input it calls wp_panic
 * with a code and a message: the job counts as panicked, the error handler is told, its cleanup
 * runs, and the worker goes on with the next job. What the frames in between hold would be lost, as
 * after longjmp; so whatever a job owns is in its payload, and the cleanup frees that.
 *
 * It prints:
 *
 *     1+(2+3) = 6
 *     1+(2+) panicked: expected a digit at column 6, not ')'
 *     ((((((7)))))) = 7
 *     (1+2 panicked: expected ')' at column 5, not the end
 *     8+8 = 16
 *     waiting for a job that gives up: job panicked
 *     3 completed, 3 panicked, 6 cleaned up
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/wpool.h>

#define SUMS 5

struct sum {
	const char *text;
	const char *next; /* the parser is here */
	char *copy;       /* owned by the job: freed by its cleanup */
	long value;
	char message[64]; /* empty: the value is right */
};

static atomic_int cleaned;

static const char *name_of(char c)
{
	static const char *const names[] = { "')'", "'('", "'+'" };
	return c == ')' ? names[0] : c == '(' ? names[1] : c == '+' ? names[2] : "the end";
}

/* Any function below a job may give it up. */
static WP_NORETURN void give_up(const struct sum *sum, const char *expected)
{
	wp_panic(-EBADMSG, "expected %s at column %d, not %s", expected,
		(int)(sum->next - sum->copy) + 1, name_of(*sum->next));
}

static long parse_sum(struct sum *sum);

static long parse_term(struct sum *sum)
{
	char c = *sum->next;
	if (c >= '0' && c <= '9') {
		sum->next++;
		return c - '0';
	}
	if (c != '(')
		give_up(sum, "a digit");
	sum->next++;
	long value = parse_sum(sum);
	if (*sum->next != ')')
		give_up(sum, "')'");
	sum->next++;
	return value;
}

static long parse_sum(struct sum *sum)
{
	long value = parse_term(sum);
	while (*sum->next == '+') {
		sum->next++;
		value += parse_term(sum);
	}
	return value;
}

static int evaluate(void *payload)
{
	struct sum *sum = payload;
	sum->copy = malloc(strlen(sum->text) + 1);
	if (!sum->copy)
		return WP_ENOMEM;
	strcpy(sum->copy, sum->text);
	sum->next = sum->copy;
	sum->value = parse_sum(sum);
	return 0;
}

static void clean_up(void *payload)
{
	struct sum *sum = payload;
	free(sum->copy);
	sum->copy = NULL;
	atomic_fetch_add(&cleaned, 1);
}

/* Also told of jobs that return an error. error->backtrace says where the job gave up. */
static void on_error(void *self, const struct wp_job_error *error)
{
	(void)self;
	struct sum *sum = error->payload;
	snprintf(sum->message, sizeof(sum->message), "%s", error->message);
}

static int run(struct wp_pool *pool, struct sum *sums)
{
	for (int i = 0; i < SUMS; i++) {
		struct wp_job job = { .fn = evaluate, .payload = &sums[i], .cleanup = clean_up };
		int err = wp_submit_job(pool, &job);
		if (err)
			return err;
	}
	int err = wp_pool_wait(pool, WP_FOREVER);
	if (err)
		return err;
	for (int i = 0; i < SUMS; i++) {
		if (sums[i].message[0])
			printf("%s panicked: %s\n", sums[i].text, sums[i].message);
		else
			printf("%s = %ld\n", sums[i].text, sums[i].value);
	}
	struct sum empty = { .text = "" };
	struct wp_job job = { .fn = evaluate, .payload = &empty, .cleanup = clean_up };
	printf("waiting for a job that gives up: %s\n", wp_strerror(wp_submit_wait(pool, &job)));
	return 0;
}

int main(void)
{
	struct sum sums[SUMS] = { { .text = "1+(2+3)" }, { .text = "1+(2+)" },
		{ .text = "((((((7))))))" }, { .text = "(1+2" }, { .text = "8+8" } };
	struct wp_options options = WP_OPTIONS_INIT;
	options.on_error = on_error;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		err = run(pool, sums);
		struct wp_stop_report report;
		int end = wp_pool_shutdown(pool, WP_FOREVER, &report);
		wp_pool_destroy(pool);
		err = err ? err : end;
		if (!err)
			printf("%llu completed, %llu panicked, %d cleaned up\n",
				(unsigned long long)report.completed,
				(unsigned long long)report.panicked, atomic_load(&cleaned));
	}
	if (err)
		fprintf(stderr, "panic: %s\n", wp_strerror(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
