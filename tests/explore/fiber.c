/* SPDX-License-Identifier: MIT */
/*
 * The context switch. By hand on x86-64: the callee-saved registers go onto the old stack, the
 * stack pointer is swapped. Elsewhere, or with -DRT_UCONTEXT, the C library's, which makes a
 * system call for each switch.
 */
#include "rt.h"

#if defined(__x86_64__) && !defined(RT_UCONTEXT)

__asm__(".text\n"
	".p2align 4\n"
	".globl rt_switch\n"
	".type rt_switch, @function\n"
	"rt_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size rt_switch, .-rt_switch\n");

#define SAVED_REGISTERS 6

void *rt_context(char *stack, size_t size, void (*entry)(void))
{
	uintptr_t *top = (uintptr_t *)(void *)(stack + size);
	top[-1] = 0; /* where entry would return to: it never does */
	top[-2] = (uintptr_t)entry;
	for (int i = 0; i < SAVED_REGISTERS; i++)
		top[-3 - i] = 0;
	return top - 2 - SAVED_REGISTERS;
}

#else

#include <ucontext.h>

static ucontext_t contexts[RT_FIBERS + 1]; /* the last one is the loop that runs executions */
static ucontext_t *current = &contexts[RT_FIBERS];

void rt_switch(void **from, void *to)
{
	ucontext_t *self = current;
	*from = self;
	current = to;
	swapcontext(self, current);
}

void *rt_context(char *stack, size_t size, void (*entry)(void))
{
	size_t i = (size_t)(stack - rt->arena) / RT_STACK;
	getcontext(&contexts[i]);
	contexts[i].uc_stack.ss_sp = stack;
	contexts[i].uc_stack.ss_size = size;
	contexts[i].uc_link = NULL;
	makecontext(&contexts[i], entry, 0);
	return &contexts[i];
}

#endif
