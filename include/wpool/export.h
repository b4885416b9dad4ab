/* SPDX-License-Identifier: MIT */
/* What every public header needs: visibility of the exported functions, C linkage for C++. */
#ifndef WPOOL_EXPORT_H
#define WPOOL_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define WP_API          __attribute__((visibility("default")))
#define WP_NODISCARD    __attribute__((warn_unused_result))
#define WP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define WP_NORETURN     __attribute__((noreturn))
#else
#define WP_API
#define WP_NODISCARD
#define WP_PRINTF(f, a)
#define WP_NORETURN
#endif

#ifdef __cplusplus
#define WP_BEGIN_DECLS extern "C" {
#define WP_END_DECLS   }
#else
#define WP_BEGIN_DECLS
#define WP_END_DECLS
#endif

#endif
