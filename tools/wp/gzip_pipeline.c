/* SPDX-License-Identifier: MIT */
/*
 * The work of `wp gzip`: a reader cuts the input into blocks, the pool compresses them, the writer
 * puts them out in the order of the input.
 *
 *               +---------------- blocks[], a ring ----------------+
 *     input --> | reader --submit--> workers --finished--> writer  | --> output
 *               |    ^---------------- free <----------------'     |
 *               +--------------------------------------------------+
 *
 * Order: block number n of the input lives in blocks[n % block_count] and the writer takes the
 * numbers one after the other. It waits for block n however many later ones are finished.
 *
 * Memory: there are block_count blocks, made at the start, and no others. The reader may fill block
 * n only when block n - block_count has been written, so a slow consumer of the output stops the
 * writer, then the reader, and nothing piles up in between.
 *
 * Who touches a block: one party at a time. It passes from the reader to a worker by wp_submit_job
 * and from the worker to the writer and back to the reader under `lock`. So its fields need no
 * lock, but for `finished`, by which it changes hands. A block is some milliseconds of work: a
 * mutex taken three times for each is nothing.
 *
 * The writer is the thread that called gzip_run; the reader is a thread of its own.
 */
#include "gzip.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libdeflate.h>
#include <wpool/wpool.h>

#include "io.h"
#include "progress.h"

struct pipeline;

struct block {
	struct pipeline *line;
	unsigned char *input; /* block_size bytes */
	size_t input_size;
	unsigned char *output; /* output_room bytes: the result fits, however bad the input */
	size_t output_size;
	int result;    /* of the job */
	bool finished; /* under the lock: the writer may have it */
};

struct pipeline {
	const struct gzip_work *work;
	struct wp_pool *pool;
	struct libdeflate_compressor **compressors; /* one per worker, made for its first block */
	struct block *blocks;
	unsigned block_count;
	size_t output_room;
	int stop_fd; /* becomes readable to call the reader away from a silent input */

	pthread_mutex_t lock;
	pthread_cond_t block_freed;    /* the reader waits for it */
	pthread_cond_t block_finished; /* the writer waits for it; also told of the end */
	uint64_t submitted;            /* blocks that the reader has handed over */
	uint64_t written;              /* blocks that are free again */
	bool input_ended;              /* submitted is final */
	bool failed;                   /* everybody stops */
	struct gzip_result result;
};

unsigned gzip_block_count(unsigned workers)
{
	/* For each worker one at work and one waiting; one being read and one being written. */
	return 2 * workers + 2;
}

/* The first failure counts: what follows is often only its consequence. */
static void fail(struct pipeline *line, enum gzip_stage stage, int error)
{
	pthread_mutex_lock(&line->lock);
	if (!line->failed) {
		line->failed = true;
		line->result.stage = stage;
		line->result.error = error;
	}
	pthread_cond_broadcast(&line->block_freed);
	pthread_cond_broadcast(&line->block_finished);
	pthread_mutex_unlock(&line->lock);
}

/* ---- the job ---- */

/* Compresses one block; runs on a worker of the pool. */
static int compress_block(void *payload)
{
	struct block *block = payload;
	struct pipeline *line = block->line;

	/* A worker runs one job at a time: what is kept per worker needs no lock. */
	struct libdeflate_compressor **mine = &line->compressors[wp_job_current()->worker];
	if (!*mine)
		*mine = libdeflate_alloc_compressor(line->work->level);
	if (!*mine)
		return block->result = WP_ENOMEM;

	block->output_size = libdeflate_gzip_compress(
		*mine, block->input, block->input_size, block->output, line->output_room);
	/* It says 0 where the room is too small, which output_room rules out. */
	return block->result = block->output_size > 0 ? 0 : WP_EINVAL;
}

/*
 * The job's cleanup: runs once for every accepted job, also for one that the pool drops because it
 * is stopped. That makes it the right place to pass the block on.
 */
static void pass_block_on(void *payload)
{
	struct block *block = payload;
	struct pipeline *line = block->line;

	pthread_mutex_lock(&line->lock);
	block->finished = true;
	pthread_cond_signal(&line->block_finished);
	pthread_mutex_unlock(&line->lock);
}

/* ---- the reader ---- */

/* NULL: somebody failed, there is no point in reading on. */
static struct block *wait_for_free_block(struct pipeline *line)
{
	struct block *block = NULL;

	pthread_mutex_lock(&line->lock);
	while (!line->failed && line->submitted - line->written == line->block_count)
		pthread_cond_wait(&line->block_freed, &line->lock);
	if (!line->failed)
		block = &line->blocks[line->submitted % line->block_count];
	pthread_mutex_unlock(&line->lock);
	return block;
}

static int submit_block(struct pipeline *line, struct block *block)
{
	struct wp_job job = { .fn = compress_block, .payload = block, .cleanup = pass_block_on };

	block->result = WP_EDROPPED; /* until the job has said otherwise */
	pthread_mutex_lock(&line->lock);
	block->finished = false;
	line->submitted++;
	pthread_mutex_unlock(&line->lock);
	/* The pool has room for all blocks, so this does not wait. */
	return wp_submit_job(line->pool, &job);
}

static void *read_input(void *argument)
{
	struct pipeline *line = argument;
	size_t block_size = line->work->block_size;
	bool more = true;

	while (more) {
		struct block *block = wait_for_free_block(line);
		if (!block)
			return NULL;
		ssize_t size =
			io_read_full(line->work->input, block->input, block_size, line->stop_fd);
		if (size < 0) {
			fail(line, GZIP_READING, (int)size);
			return NULL;
		}
		more = (size_t)size == block_size; /* a short block is the last one */
		/* Nothing is no block; but an empty input gives one empty member. */
		if (size == 0 && line->submitted > 0)
			break;
		block->input_size = (size_t)size;
		int error = submit_block(line, block);
		if (error) {
			fail(line, GZIP_STARTING, error);
			return NULL;
		}
	}
	pthread_mutex_lock(&line->lock);
	line->input_ended = true;
	pthread_cond_signal(&line->block_finished);
	pthread_mutex_unlock(&line->lock);
	return NULL;
}

/* ---- the writer ---- */

/* The next block in the order of the input. NULL: that was the last one, or somebody failed. */
static struct block *wait_for_finished_block(struct pipeline *line)
{
	struct block *next = &line->blocks[line->written % line->block_count];
	bool ready = false;

	pthread_mutex_lock(&line->lock);
	while (!line->failed) {
		bool exists = line->written < line->submitted;
		ready = exists && next->finished;
		if (ready || (!exists && line->input_ended))
			break;
		pthread_cond_wait(&line->block_finished, &line->lock);
	}
	pthread_mutex_unlock(&line->lock);
	return ready ? next : NULL;
}

static void free_block(struct pipeline *line)
{
	pthread_mutex_lock(&line->lock);
	line->written++;
	pthread_cond_signal(&line->block_freed);
	pthread_mutex_unlock(&line->lock);
}

static void write_output(struct pipeline *line)
{
	struct gzip_result *result = &line->result;
	struct block *block;

	while ((block = wait_for_finished_block(line))) {
		if (block->result) {
			fail(line, GZIP_COMPRESSING, block->result);
			return;
		}
		int error = io_write_full(line->work->output, block->output, block->output_size);
		if (error) {
			fail(line, GZIP_WRITING, error);
			return;
		}
		result->bytes_in += block->input_size;
		result->bytes_out += block->output_size;
		result->blocks++;
		free_block(line);
		progress_update(line->work->progress, result->bytes_in);
	}
}

/* ---- setting up and taking down ---- */

static int make_blocks(struct pipeline *line)
{
	const struct gzip_work *work = line->work;

	line->block_count = gzip_block_count(work->workers);
	line->output_room = libdeflate_gzip_compress_bound(NULL, work->block_size);
	line->blocks = calloc(line->block_count, sizeof *line->blocks);
	line->compressors = calloc(work->workers, sizeof(struct libdeflate_compressor *));
	if (!line->blocks || !line->compressors)
		return WP_ENOMEM;
	for (unsigned i = 0; i < line->block_count; i++) {
		struct block *block = &line->blocks[i];
		block->line = line;
		block->input = malloc(work->block_size);
		block->output = malloc(line->output_room);
		if (!block->input || !block->output)
			return WP_ENOMEM;
	}
	return 0;
}

static void free_blocks(struct pipeline *line)
{
	for (unsigned i = 0; line->compressors && i < line->work->workers; i++)
		libdeflate_free_compressor(line->compressors[i]);
	for (unsigned i = 0; line->blocks && i < line->block_count; i++) {
		free(line->blocks[i].input);
		free(line->blocks[i].output);
	}
	free(line->compressors);
	free(line->blocks);
}

static int start_pool(struct pipeline *line)
{
	struct wp_options options = WP_OPTIONS_INIT;
	options.name = "wp-gzip";
	options.workers = line->work->workers;
	options.capacity = line->block_count; /* so that submitting never waits */
	options.batch_max = 1;                /* jobs are long: no worker takes two at once */
	return wp_pool_create(&line->pool, &options);
}

/* Signals are for the main thread, which knows what to tidy up. */
static int start_reader(struct pipeline *line, pthread_t *reader)
{
	sigset_t all, saved;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	int error = pthread_create(reader, NULL, read_input, line);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return error ? WP_ENOMEM : 0; /* EAGAIN: what a thread needs could not be had */
}

/* The reader may be waiting for input that never comes. */
static void stop_reader(struct pipeline *line, pthread_t reader)
{
	uint64_t one = 1;
	if (line->failed)
		(void)io_write_full(line->stop_fd, &one, sizeof one);
	pthread_join(reader, NULL);
}

struct gzip_result gzip_run(const struct gzip_work *work)
{
	struct pipeline line = {
		.work = work,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.block_freed = PTHREAD_COND_INITIALIZER,
		.block_finished = PTHREAD_COND_INITIALIZER,
	};
	pthread_t reader;

	line.stop_fd = eventfd(0, EFD_CLOEXEC);
	int error = line.stop_fd < 0 ? -errno : make_blocks(&line);
	if (!error)
		error = start_pool(&line);
	if (!error)
		error = start_reader(&line, &reader);
	if (error) {
		fail(&line, GZIP_STARTING, error);
	} else {
		write_output(&line);
		stop_reader(&line, reader);
	}
	/*
	 * After success nothing is queued. After a failure the queued blocks are dropped, else
	 * destroy would first compress them.
	 */
	if (line.failed && line.pool)
		wp_pool_stop(line.pool, NULL);
	wp_pool_destroy(line.pool);
	free_blocks(&line);
	if (line.stop_fd >= 0)
		close(line.stop_fd);
	return line.result;
}
