/* SPDX-License-Identifier: MIT */
/*
 * The explorer's runtime, seen from inside. Everything it knows is in one struct outside of the
 * program's data, so that no access of its own is ever mistaken for one of the code under test.
 *
 * Files: run.c executions and the loops over them; search.c choices; sched.c fibers, blocking and
 * virtual time; fiber.c the context switch; memory.c atomics; shadow.c plain accesses, blocks and
 * what is undone between executions; tsan.c the doors the compiler calls; os_explore.c,
 * alloc_explore.c, rcu_explore.c the doors of src/base; sites.c labels and mutation; report.c
 * what a failure looks like; main.c the command line.
 */
#ifndef WP_TESTS_EXPLORE_RT_H
#define WP_TESTS_EXPLORE_RT_H

#include <stdarg.h>

#include "explore.h"

#define RT_FIBERS   (EXPLORE_THREADS + 1)
#define RT_HISTORY  8u /* stores kept per location */
#define RT_LOCS     4096u
#define RT_BLOCKS   4096u
#define RT_UNDO     65536u
#define RT_CHOICES  65536u
#define RT_EVENTS   65536u
#define RT_MUTEXES  64u
#define RT_OUTCOMES 64u

#define RT_STACK       (128u << 10)
#define RT_STACK_GUARD 4096u
#define RT_STACKS      (RT_FIBERS * (size_t)RT_STACK)
#define RT_ARENA       ((size_t)64 << 20)

/* A clock value per fiber. What a fiber did at clock c is known to whoever has its entry >= c. */
struct vc {
	int32_t c[RT_FIBERS];
};

static inline void vc_join(struct vc *into, const struct vc *from)
{
	for (unsigned i = 0; i < RT_FIBERS; i++)
		into->c[i] = into->c[i] > from->c[i] ? into->c[i] : from->c[i];
}

/*
 * What a fiber knows, or what a store hands over: `hb` is what happens before, which excuses plain
 * accesses; `view` includes it and what sequentially consistent fences add, which limits the old
 * stores that a load may still read.
 */
struct knowledge {
	struct vc hb, view;
};

static inline void know(struct knowledge *into, const struct knowledge *from)
{
	vc_join(&into->hb, &from->hb);
	vc_join(&into->view, &from->view);
}

/* ---- operations ---- */

enum op_kind {
	OP_NONE,
	OP_LOAD,
	OP_STORE,
	OP_RMW,
	OP_CAS,
	OP_FENCE,
	OP_WAIT,
	OP_WAKE,
	OP_LOCK,
	OP_UNLOCK,
	OP_CREATE,
	OP_JOIN,
	OP_ALLOC,
	OP_FREE,
	OP_HINT,
	OP_SLEEP,
	OP_RCU,
	OP_NOTE,
	OP_BEGIN,
	OP_END,
	OP_PLAIN,
	OP_CHOOSE,
};

/* What a fiber will do when it is picked; enough to know which pairs commute. */
struct op {
	uintptr_t addr; /* 0: none */
	uint8_t kind;   /* enum op_kind */
	bool write;
	bool fence;  /* takes part in the order of sequentially consistent fences */
	bool global; /* touches something that all such operations share */
	bool all;    /* commutes with nothing */
};

enum order { ORDER_RELAXED, ORDER_CONSUME, ORDER_ACQUIRE, ORDER_RELEASE, ORDER_AR, ORDER_SC };

static inline bool is_acquire(int order)
{
	return order == ORDER_CONSUME || order == ORDER_ACQUIRE || order >= ORDER_AR;
}

static inline bool is_release(int order)
{
	return order >= ORDER_RELEASE;
}

/* ---- fibers ---- */

enum fiber_state {
	F_UNUSED,
	F_READY,
	F_SPIN,
	F_FUTEX,
	F_MUTEX,
	F_JOIN,
	F_SLEEP,
	F_RCU,
	F_ALL,
	F_DONE
};

struct fiber {
	void *context;
	uint8_t id, state;
	bool body;
	bool starting; /* runs up to its first operation, then back to its creator */
	bool woken;    /* by a wake, not by time or for no reason */
	bool timed_out;
	bool has_pending, has_fence;
	uint8_t starter;
	struct op op;
	uint16_t rush; /* rounds of waiting that it goes on alone */
	int32_t clock; /* of its last operation */
	struct knowledge knows;
	struct knowledge pending; /* read relaxed; an acquire fence takes it up */
	struct knowledge fence;   /* at the last release fence */
	uint64_t deadline;        /* UINT64_MAX: none */
	uintptr_t waits_on;       /* futex or mutex address, fiber id + 1 for a join */
	uint32_t hints;           /* waiting loops gone round */
	uint64_t seen_writes, own_writes;
	int64_t priority;
	uint32_t rcu_nest, rcu_section;
	void *(*start)(void *);
	void *arg;
	int saved_errno;
	const void *pc;
};

/* ---- atomic memory ---- */

struct store {
	uint64_t value;
	uint32_t number; /* of all stores of the execution */
	uint8_t fiber;
	bool rmw;   /* follows the store before it without a gap */
	bool hands; /* `knows` is handed to acquire loads */
	struct knowledge knows;
	const void *pc;
};

/* Stores lo .. hi-1 in modification order; store i is in st[i % RT_HISTORY]. */
struct loc {
	uintptr_t addr;
	uint8_t size;
	uint16_t next; /* in the same granule; 0: none */
	uint32_t lo, hi;
	/* The fiber's clock when it first read or wrote store i or a later one; 0: not yet. */
	int32_t seen[RT_FIBERS][RT_HISTORY];
	uint32_t top[RT_FIBERS]; /* 1 + newest store seen; 0: none */
	int32_t last_write[RT_FIBERS], last_access[RT_FIBERS];
	/* For progress: what was read last, in which round of waiting, how often in a row. */
	uint32_t read_last[RT_FIBERS], read_hints[RT_FIBERS];
	uint8_t read_again[RT_FIBERS];
	struct store st[RT_HISTORY];
};

/* ---- plain memory ---- */

struct cell {
	int32_t clock;
	uint32_t pc; /* from the start of the program */
	uint8_t fiber, mask;
	bool write, is_free;
};

#define RT_CELLS 8

/* Eight bytes of the program's memory: who touched which of them, and the atomics in it. */
struct granule {
	uint32_t stamp; /* of the execution this is about */
	uint16_t loc;
	uint8_t n;
	struct cell cell[RT_CELLS];
};

struct block {
	uintptr_t addr;
	size_t size;
	bool live, solo;
	uint8_t fiber;
	int32_t clock;
	uint32_t alloc_pc, free_pc;
};

struct undo {
	uint64_t *at, value;
};

struct mutex {
	uintptr_t addr;
	uint8_t owner; /* 1 + fiber */
	struct knowledge knows;
};

/* ---- choices ---- */

enum choice_kind { C_SCHED, C_READ, C_WEAK, C_EVENT, C_PICK, C_ALLOC, C_USER };

struct choice {
	uint8_t value, n, kind;
	uint8_t sleeping;        /* fibers whose turn here was explored already (exhaustive) */
	uint8_t cand[RT_FIBERS]; /* C_SCHED: the fibers to choose from */
};

enum search { SEARCH_DFS, SEARCH_PCT, SEARCH_RANDOM, SEARCH_REPLAY };

struct event {
	uint8_t fiber, kind, order, stale, size;
	bool wrote;
	const void *pc;
	uintptr_t addr;
	uint64_t before, after;
	const char *text;
};

struct budget {
	int weak, spurious, timeouts, rushes, allocs, stale, preemptions;
};

enum end { END_OK, END_FAILED, END_REDUNDANT };

/* How memory was accessed, for who counts accesses (coherence.c). */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_RMW };

struct rt {
	/* The current execution. */
	struct explore_test *test;
	bool variant, solo, fair, tracing, running;
	/* Called after each access of the code under test, in the order in which they happen. */
	void (*watch)(uintptr_t addr, size_t size, enum access how);
	enum end end;
	uint32_t stamp;
	uint8_t cur, nfibers;
	uint8_t ready, spinning, timed, sleeping_set; /* fibers as bits */
	struct fiber fiber[RT_FIBERS];
	void *main_context;
	struct knowledge fences;     /* what sequentially consistent fences published */
	struct knowledge read_sides; /* what read sides left behind */
	struct knowledge updates; /* what a read side that begins after a grace period did sees */
	uint64_t writes, now, hash;
	uint64_t ticks_behind; /* how far the counter of ticks has jumped back, against now */
	uint32_t steps, stores, idle, rcu_sections;
	struct budget left;
	struct loc *locs;
	uint32_t nlocs;
	struct block block[RT_BLOCKS];
	uint32_t nblocks;
	uintptr_t heap_next;
	struct undo undo[RT_UNDO];
	uint32_t nundo;
	struct mutex mutex[RT_MUTEXES];
	uint32_t nmutexes;
	unsigned outcome;
	bool has_outcome;
	struct {
		unsigned outcome;
		uint64_t count;
	} seen[RT_OUTCOMES];
	unsigned nseen;
	char message[512];
	const char *what; /* kind of failure */
	const void *fail_pc[2];

	/* Where things are. */
	char *arena;
	uintptr_t data, data_end;
	struct granule *arena_shadow, *data_shadow;
	uint16_t *owner; /* block of each arena granule */
	char *tls, *tls_copy;
	size_t tls_size, tls_init_size;
	const void *tls_image;
	uintptr_t program;

	/* Search. */
	enum search search;
	struct choice choice[RT_CHOICES];
	uint32_t nchoices, fixed; /* fixed: the first choices are given */
	uint64_t rng;
	unsigned depth; /* PCT: d */
	uint32_t change[8], steps_expected;
	int64_t lowest;
	unsigned sticky, stale_chance;
	bool sleep_sets, evictions;
	int limit_stale, limit_preemptions; /* as in struct explore_test */
	uint64_t executions, steps_total;
	uint64_t alarm_execution;
	uint32_t alarm_steps;

	struct event event[RT_EVENTS];
	uint32_t nevents;
};

extern struct rt *rt;

/* ---- search.c ---- */

/*
 * 0 .. n-1; 0 is the harmless one. Without `branch` a searcher takes that one, but the choice is
 * counted all the same, so that a replay does not depend on the limits of the search.
 */
unsigned rt_choose(enum choice_kind kind, unsigned n, bool branch);
/* One of the fibers in cand; the first is the one that goes on if nothing special happens. */
uint8_t rt_choose_fiber(const uint8_t *cand, unsigned n, bool branch);
void rt_search_begin(void);
/* Sets the next path of the exhaustive search; false when there is none. */
bool rt_dfs_next(void);
uint64_t rt_random(void);
void rt_lower_priority(struct fiber *f);

/* ---- sched.c ---- */

static inline struct fiber *rt_self(void)
{
	return &rt->fiber[rt->cur];
}

/* Before every visible operation: lets others run first. */
void rt_point(struct op op);
/* Blocks the current fiber in `state` until it is made ready. */
void rt_block(enum fiber_state state);
void rt_make_ready(struct fiber *f);
void rt_wrote(void);
int rt_create(void *(*start)(void *), void *arg);
void rt_join(unsigned id);
void rt_hint(void);
void rt_fence_all(void);
_Noreturn void rt_fail(const char *what, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void rt_begin_threads(void);

/* ---- fiber.c ---- */

void rt_switch(void **from, void *to);
void *rt_context(char *stack, size_t size, void (*entry)(void));

/* ---- memory.c ---- */

enum rmw { RMW_SWAP, RMW_ADD, RMW_SUB, RMW_AND, RMW_OR, RMW_XOR, RMW_NAND };

uint64_t rt_load(uintptr_t addr, unsigned size, int order, const void *pc);
void rt_store(uintptr_t addr, unsigned size, uint64_t value, int order, const void *pc);
uint64_t rt_rmw(
	enum rmw op, uintptr_t addr, unsigned size, uint64_t value, int order, const void *pc);
bool rt_cas(uintptr_t addr, unsigned size, uint64_t *expected, uint64_t desired, int order,
	int failure, bool weak, const void *pc);
void rt_fence(int order, const void *pc);
/* Clock of the fiber's next operation. */
int32_t rt_tick(struct fiber *f);
void rt_fence_sc(struct fiber *f);
uint64_t rt_load_for_wait(uintptr_t addr, const void *pc);

/* ---- shadow.c ---- */

void rt_shadow_init(void);
void rt_shadow_begin(void);
void rt_shadow_end(void);
struct granule *rt_granule(uintptr_t addr, const void *pc);
void rt_plain(uintptr_t addr, size_t size, bool write, const void *pc);
/* Races of an atomic access with plain ones. */
void rt_check_plain(
	const struct granule *g, uintptr_t addr, unsigned size, bool write, const void *pc);
void *rt_allocate(size_t align, size_t size, const void *pc);
void rt_release(void *memory, const void *pc);
unsigned rt_live_blocks(void);
const char *rt_where(uintptr_t addr, char *buffer, size_t size);

/* ---- sites.c ---- */

enum mutation {
	MUTATE_NONE,
	MUTATE_WEAKEN,
	MUTATE_DROP_ACQUIRE, /* of an operation that is both, acquire and release, one half */
	MUTATE_DROP_RELEASE,
	MUTATE_DROP_FENCE,
	MUTATE_SKIP_WAKE,
	MUTATIONS
};

/* As the program's options and stored executions call them. */
extern const char *const rt_mutation_names[MUTATIONS];

/* Adds a mutation of all operations with the label; false when the program has none. */
bool rt_mutate(enum mutation what, const char *label);
/* Takes all mutations back. */
void rt_mutate_nothing(void);
/* The only mutation and its label; MUTATE_NONE: there are none, or several. */
enum mutation rt_only_mutation(const char **label);
/* What was asked for the operation called from pc. */
enum mutation rt_mutation_at(const void *pc);
extern bool rt_mutating;
struct site {
	uintptr_t pc;
	char function[48], file[96], label[24];
	int line;
	enum mutation how; /* what makes sense here */
	bool both;         /* acquire and release: each half can go by itself */
};
/* Where a return address is; never NULL. */
const struct site *rt_site(const void *pc);
void rt_list_labels(void);

/* ---- report.c ---- */

void rt_event(enum op_kind kind, int order, uintptr_t addr, uint64_t before, uint64_t after,
	bool wrote, unsigned stale, const void *pc);
void rt_report(void);
void rt_print_choices(char *buffer, size_t size);
bool rt_parse_choices(const char *text);
const char *rt_symbol(uintptr_t addr, uint64_t *offset);

/* ---- run.c ---- */

enum end rt_execute(struct explore_test *test, bool variant);
/* Runs the choices of the last execution again; with a trace if wanted. */
enum end rt_again(struct explore_test *test, bool variant, bool tracing);
/* Runs the last execution once more in the same search and compares. */
bool rt_same_again(struct explore_test *test, bool variant);
void rt_shrink(struct explore_test *test, bool variant);
void rt_init(void);

static inline void rt_mix(uint64_t x)
{
	rt->hash = (rt->hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	rt->hash ^= rt->hash >> 29;
}

/* ---- verdict.c: what it takes for a test to pass ---- */

struct settings {
	uint64_t runs, seed;
	double seconds; /* of processor time, for each test; 0: no limit */
	const char *save;
	bool verbose, broken, list_outcomes;
	bool kill; /* a mutant runs: a failure is what is wanted, one line will do */
	int only;  /* a search, or -1: all of them */
};

enum verdict { PASSED, FAILED };

enum verdict rt_run_test(struct explore_test *test, const struct settings *s);
enum verdict rt_run_litmus(struct explore_test *test, const struct settings *s);
enum verdict rt_run_bug(struct explore_test *test, const struct settings *s);
enum verdict rt_run_replay(struct explore_test *test, bool variant, bool verbose);
double rt_seconds(void);

#endif
