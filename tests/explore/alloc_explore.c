/* SPDX-License-Identifier: MIT */
/* src/base/alloc.h on the explorer's memory. Linked instead of src/base/alloc.c. */
#include "base/alloc.h"

#include "rt.h"

#define HERE __builtin_return_address(0)

/* Where the freed memory is reused, who frees and who allocates first makes a difference. */
static struct op heap_op(uint8_t kind)
{
	return (struct op){ .kind = kind, .global = true };
}

void *wp__alloc(size_t align, size_t size)
{
	rt_point(heap_op(OP_ALLOC));
	if (size == 0)
		return NULL;
	if (rt->left.allocs > 0 && rt_choose(C_ALLOC, 2, true)) {
		rt->left.allocs--;
		return NULL;
	}
	void *memory = rt_allocate(align, size, HERE);
	rt_event(OP_ALLOC, 0, (uintptr_t)memory, size, 0, false, 0, HERE);
	return memory;
}

void wp__free(void *memory)
{
	if (!memory)
		return;
	rt_point(heap_op(OP_FREE));
	rt_event(OP_FREE, 0, (uintptr_t)memory, 0, 0, false, 0, HERE);
	rt_release(memory, HERE);
}
