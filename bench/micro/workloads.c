/* SPDX-License-Identifier: MIT */
#include "../bench.h"

/* In the order of the tables of docs/performance.md. */
#define ALL(each)                                                                                  \
	each(pub_mark) each(pub_mark_folded) each(pub_slot_tag) each(pub_bit_or) each(             \
		pub_bit_or_used) each(pub_bit_add) each(pub_bit_alone) each(take_faa_far)          \
		each(take_cas_far) each(take_faa_near) each(take_cas_near) each(claim_cas_far)     \
			each(claim_row_far) each(claim_one_far) each(claim_cas_near) each(         \
				claim_row_near) each(claim_one_near) each(order_identity)          \
				each(order_slots) each(order_marks) each(order_both) each(         \
					prefetch_none) each(prefetch_2) each(prefetch_4)           \
					each(prefetch_8) each(prefetch_16) each(prefetch_32) each( \
						prefetch_64) each(block_size) each(ring_512)       \
						each(ring_2048) each(ring_8192) each(ring_32768)   \
							each(ring_131072) each(copy_size)          \
								each(in_place) each(push_size)     \
									each(wpool_queue)          \
										each(wpool_lane)

#define DECLARE(name) extern const struct bench_workload bench_##name;
ALL(DECLARE)

#define ENTRY(name) &bench_##name,
const struct bench_workload *const bench_workloads[] = { &bench_raw_limit, ALL(ENTRY) NULL };
