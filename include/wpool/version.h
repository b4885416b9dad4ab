/* SPDX-License-Identifier: MIT */
/* The version of the headers, and of the library that is loaded. */
#ifndef WPOOL_VERSION_H
#define WPOOL_VERSION_H

#include <wpool/export.h>

WP_BEGIN_DECLS

#define WP_VERSION_MAJOR  0
#define WP_VERSION_MINOR  1
#define WP_VERSION_PATCH  0
#define WP_VERSION_STRING "0.1.0"

/* The version of the loaded library, like WP_VERSION_STRING. */
WP_API const char *wp_version(void);

WP_END_DECLS

#endif
