/* SPDX-License-Identifier: MIT */
/*
 * Results of wpool calls.
 *
 * A function that returns int returns 0 or one of the negative codes below; a function that
 * returns ssize_t returns a count or one of them. errno is never read by the caller and never
 * changed by wpool. The values are negated errno numbers, so that they may be passed on by
 * programs that already speak that language.
 */
#ifndef WPOOL_ERROR_H
#define WPOOL_ERROR_H

#include <errno.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

enum wp_error {
	WP_OK = 0,
	WP_EINVAL = -EINVAL,          /* an argument or option is outside its documented range */
	WP_ENOMEM = -ENOMEM,          /* no memory, address space or thread could be had */
	WP_EFULL = -EAGAIN,           /* the lane holds `capacity` jobs */
	WP_ETIMEDOUT = -ETIMEDOUT,    /* the deadline passed */
	WP_ECANCELED = -ECANCELED,    /* the context was cancelled */
	WP_ECLOSED = -ESHUTDOWN,      /* the queue or pool takes no more jobs */
	WP_EFORCED = -ETIME,          /* shutdown reached its deadline; jobs are left */
	WP_EPANIC = -ENOTRECOVERABLE, /* the job gave up or was given up */
	WP_EDROPPED = -EIDRM,         /* accepted, but discarded by a stop: the job did not run */
	WP_EDEADLK = -EDEADLK,        /* the call would wait for the job that makes it */
	WP_EFORKED = -EOWNERDEAD,     /* the pool's threads stayed in the parent of a fork */
	WP_EBUSY = -EBUSY,            /* in use by somebody else */
};

/*
 * A short English description of a result, without a full stop. Never NULL; "unknown error" for a
 * value that is not in the list. Any thread, also in a signal handler: the text is a constant.
 */
WP_API const char *wp_strerror(int err);

WP_END_DECLS

#endif
