/* SPDX-License-Identifier: MIT */
/*
 * Producers: two threads that submit very often, each with a line of its own into the pool.
 *
 * A wp_producer belongs to one thread at a time and needs no atomic read-modify-write per job. Its
 * jobs are claimed in the order in which they were submitted. The first thread submits them one by
 * one; the second one fills them in right where they will be taken from (reserve and commit), which
 * is the fastest way in. Closing a handle leaves its jobs in the pool: they still run.
 *
 * With the single worker of this example jobs also run in that order, so that each producer's
 * jobs can check it.
 *
 * It prints:
 *
 *     one by one: 50000 jobs in order, adding up to 1249975000
 *     in place: 50000 jobs in order, adding up to 1249975000
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define JOBS 50000u

struct stream;

struct number {
	struct stream *stream;
	uint32_t value;
};

/* What one thread submits; the sums are the worker's until the shutdown. */
struct stream {
	struct wp_pool *pool;
	pthread_t thread;
	int err;
	uint64_t sum;
	uint32_t in_order;
	struct number numbers[JOBS];
};

static int add_number(void *payload)
{
	const struct number *number = payload;
	struct stream *stream = number->stream;
	if (number->value == stream->in_order)
		stream->in_order++;
	stream->sum += number->value;
	return 0;
}

static void *submit_one_by_one(void *arg)
{
	struct stream *stream = arg;
	struct wp_producer *producer;
	stream->err = wp_producer_open(&producer, stream->pool);
	if (stream->err)
		return NULL;
	for (uint32_t i = 0; i < JOBS && !stream->err; i++)
		stream->err = wp_producer_submit(producer, add_number, &stream->numbers[i]);
	wp_producer_close(producer);
	return NULL;
}

/*
 * Reserve does not wait; where the line is full, a submit that does is the way to wait for room,
 * and it says so if the pool was closed.
 */
static void *submit_in_place(void *arg)
{
	struct stream *stream = arg;
	struct wp_producer *producer;
	stream->err = wp_producer_open(&producer, stream->pool);
	if (stream->err)
		return NULL;
	for (uint32_t i = 0; i < JOBS && !stream->err;) {
		size_t n = JOBS - i;
		struct wp_job *jobs = wp_producer_reserve(producer, &n);
		if (jobs) {
			for (size_t k = 0; k < n; k++)
				jobs[k] = (struct wp_job){ .fn = add_number,
					.payload = &stream->numbers[i + k] };
			wp_producer_commit(producer, n);
			i += (uint32_t)n;
		} else {
			stream->err = wp_producer_submit(producer, add_number, &stream->numbers[i]);
			i++;
		}
	}
	wp_producer_close(producer);
	return NULL;
}

static struct stream *start(struct wp_pool *pool, void *(*submit)(void *))
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->pool = pool;
	for (uint32_t i = 0; i < JOBS; i++)
		stream->numbers[i] = (struct number){ .stream = stream, .value = i };
	if (pthread_create(&stream->thread, NULL, submit, stream) != 0) {
		free(stream);
		return NULL;
	}
	return stream;
}

/* After this every job of the stream has been submitted, or stream->err says why not. */
static int join(struct stream *stream)
{
	if (!stream)
		return WP_ENOMEM;
	pthread_join(stream->thread, NULL);
	return stream->err;
}

static void show(const char *how, const struct stream *stream)
{
	printf("%s: %u jobs in order, adding up to %llu\n", how, stream->in_order,
		(unsigned long long)stream->sum);
}

int main(void)
{
	struct wp_options options = WP_OPTIONS_INIT;
	options.workers = 1;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (err) {
		fprintf(stderr, "wp_pool_create: %s\n", wp_strerror(err));
		return EXIT_FAILURE;
	}
	struct stream *first = start(pool, submit_one_by_one);
	struct stream *second = start(pool, submit_in_place);
	int first_err = join(first), second_err = join(second);
	err = wp_pool_shutdown(pool, WP_FOREVER, NULL);
	wp_pool_destroy(pool);
	err = first_err ? first_err : second_err ? second_err : err;
	if (!err) {
		show("one by one", first);
		show("in place", second);
	} else {
		fprintf(stderr, "producer: %s\n", wp_strerror(err));
	}
	free(first);
	free(second);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
