/* SPDX-License-Identifier: MIT */
#include <wpool/error.h>
#include <wpool/version.h>

const char *wp_strerror(int err)
{
	switch (err) {
	case WP_OK:
		return "success";
	case WP_EINVAL:
		return "invalid argument";
	case WP_ENOMEM:
		return "out of memory";
	case WP_EFULL:
		return "queue is full";
	case WP_ETIMEDOUT:
		return "deadline passed";
	case WP_ECANCELED:
		return "cancelled";
	case WP_ECLOSED:
		return "closed";
	case WP_EFORCED:
		return "shutdown deadline passed with jobs left";
	case WP_EPANIC:
		return "job panicked";
	case WP_EDROPPED:
		return "job dropped by stop";
	case WP_EDEADLK:
		return "would wait for itself";
	case WP_EFORKED:
		return "pool belongs to the parent process";
	case WP_EBUSY:
		return "busy";
	default:
		return "unknown error";
	}
}

const char *wp_version(void)
{
	return WP_VERSION_STRING;
}
