/* SPDX-License-Identifier: MIT */
/* Contexts in tests: made without fail, and let go as whoever has the last reference. */
#ifndef WP_TESTS_CTX_H
#define WP_TESTS_CTX_H

#include "t.h"
#include "work/ctx.h"

static inline struct wp_ctx *ctx_make(struct wp_ctx *parent, uint64_t deadline)
{
	struct wp_ctx *ctx = NULL;
	t_assert_int_eq(wp_ctx_create(&ctx, parent, deadline), 0);
	return ctx;
}

static inline void ctx_expect_only_reference(struct wp_ctx *ctx)
{
	t_assert_u64_eq(wp_load_rlx_u64(&ctx->references), 1);
	wp_ctx_unref(ctx);
}

#endif
