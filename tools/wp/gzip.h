/* SPDX-License-Identifier: MIT */
/* `wp gzip`: what its three files (gzip.c, gzip_options.c, gzip_pipeline.c) share. */
#ifndef TOOLS_WP_GZIP_H
#define TOOLS_WP_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

enum {
	GZIP_LEVEL_MIN = 1,
	GZIP_LEVEL_DEFAULT = 6,
	GZIP_LEVEL_MAX = 12,
};

#define GZIP_BLOCK_MIN ((size_t)1 << 10)
#define GZIP_BLOCK_MAX ((size_t)1 << 30)

/* ---- gzip_options.c: the command line ---- */

struct gzip_options {
	int level;
	unsigned workers;   /* never 0 */
	size_t block_size;  /* never 0 */
	const char *input;  /* NULL: standard input */
	const char *output; /* NULL: standard output, or the input's name with .gz */
	bool to_stdout;     /* -c */
	bool force;         /* -f */
	bool quiet;         /* -q */
	bool verbose;       /* -v */
};

/*
 * Fills *options with what the user asked for and the defaults. False when the command ends here,
 * after --help or a mistake that the user was told of: then *status is how.
 */
bool gzip_options_parse(int argc, char **argv, struct gzip_options *options, int *status);

/* ---- gzip_pipeline.c: the work ---- */

struct gzip_work {
	int input; /* descriptors */
	int output;
	int level;
	unsigned workers;
	size_t block_size;
	struct progress *progress; /* told the bytes done, on the calling thread */
};

/* Which part of the work failed, and so what the message should be about. */
enum gzip_stage {
	GZIP_STARTING, /* memory, threads */
	GZIP_READING,
	GZIP_COMPRESSING,
	GZIP_WRITING,
};

struct gzip_result {
	int error; /* 0, or a negative code: those of wpool are negative errno numbers too */
	enum gzip_stage stage;
	uint64_t bytes_in; /* read and written out again */
	uint64_t bytes_out;
	uint64_t blocks;
};

/* How many blocks circulate; each takes a little over twice the block size of memory. */
unsigned gzip_block_count(unsigned workers);

/* Compresses from input to output. Returns when all is written, or at the first failure. */
struct gzip_result gzip_run(const struct gzip_work *work);

#endif
