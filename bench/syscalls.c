/* SPDX-License-Identifier: MIT */
#include "syscalls.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "bench.h"
#include "sanitizer.h"

#if defined(__x86_64__) && defined(__linux__) && !BENCH_SANITIZED

/* Of linux/prctl.h, which may be older than the kernel. */
#define SET_DISPATCH 59
#define DISPATCH_OFF 0
#define DISPATCH_ON  1
#define LET_THROUGH  0
#define HAND_OVER    1

/* The flag of the kernel's struct that says that the restorer is set. */
#define HAS_RESTORER 0x04000000u

/* What rt_sigaction takes, as the kernel sees it. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

/*
 * The piece of code whose system calls are let through: one that makes any call, and the return
 * from the handler, which is a system call, too.
 */
void syscalls_gate(void);
void syscalls_restore(void);
void syscalls_gate_end(void);
long syscalls_make(long number, const long arguments[6]);
__asm__(".pushsection .text\n"
	".globl syscalls_gate, syscalls_make, syscalls_restore, syscalls_gate_end\n"
	".hidden syscalls_gate, syscalls_make, syscalls_restore, syscalls_gate_end\n"
	"syscalls_gate:\n"
	"syscalls_make:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %r11\n"
	"	mov 0(%r11), %rdi\n"
	"	mov 8(%r11), %rsi\n"
	"	mov 16(%r11), %rdx\n"
	"	mov 24(%r11), %r10\n"
	"	mov 32(%r11), %r8\n"
	"	mov 40(%r11), %r9\n"
	"	syscall\n"
	"	ret\n"
	"syscalls_restore:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	"syscalls_gate_end:\n"
	"	nop\n"
	".popsection\n");

static volatile char selector;
static volatile uint64_t count;
static struct kernel_sigaction before;

static void handle(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	long arguments[6] = { r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8],
		r[REG_R9] };

	(void)signal;
	(void)info;
	count++;
	r[REG_RAX] = syscalls_make(r[REG_RAX], arguments);
}

static long change_handler(const struct kernel_sigaction *to, struct kernel_sigaction *from)
{
	const long arguments[6] = { SIGSYS, (long)to, (long)from, sizeof(to->mask) };

	return syscalls_make(SYS_rt_sigaction, arguments);
}

static bool begin(void)
{
	struct kernel_sigaction action = {
		.handler = handle, .flags = SA_SIGINFO | HAS_RESTORER, .restorer = syscalls_restore
	};
	/* Addresses, not pointers: the two are no objects of C. */
	uintptr_t from = (uintptr_t)syscalls_gate, to = (uintptr_t)syscalls_gate_end + 1;

	sigset_t sigsys;

	if (change_handler(&action, &before) != 0)
		return false;
	/* The benchmark's threads block what they can. */
	sigemptyset(&sigsys);
	sigaddset(&sigsys, SIGSYS);
	(void)pthread_sigmask(SIG_UNBLOCK, &sigsys, NULL);
	selector = LET_THROUGH;
	count = 0;
	if (prctl(SET_DISPATCH, DISPATCH_ON, from, to - from, &selector) != 0) {
		(void)change_handler(&before, NULL);
		return false;
	}
	selector = HAND_OVER;
	return true;
}

uint64_t syscalls_end(void)
{
	selector = LET_THROUGH;
	(void)prctl(SET_DISPATCH, DISPATCH_OFF, 0, 0, 0);
	(void)change_handler(&before, NULL);
	return count;
}

#else

static bool begin(void)
{
	return false;
}

uint64_t syscalls_end(void)
{
	return 0;
}

#endif

void syscalls_begin(void)
{
	if (!begin())
		bench_die("system calls cannot be counted: %s", strerror(errno));
}

bool syscalls_available(void)
{
	if (!begin())
		return false;
	for (int i = 0; i < 3; i++)
		(void)getppid();
	return syscalls_end() == 3;
}
