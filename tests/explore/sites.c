/* SPDX-License-Identifier: MIT */
/*
 * From a return address to a place in the source and the label that stands there, and mutation of
 * the operations with a label.
 *
 * Places come from the program's debug information by way of addr2line. The named wrappers of
 * src/base/atomic.h are inlined, and the innermost frame outside that file is the place. A label
 * has the form [Q2] and stands at the start of a comment, on the line of the operation or above.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt.h"

#define SITES    4096u
#define AT_ONCE  16
#define SYMBOLS  4096u
#define PER_CALL 200u

const char *const rt_mutation_names[MUTATIONS] = { "", "weaken", "drop-acquire", "drop-release",
	"drop-fence", "skip-wake" };
bool rt_mutating;

static struct site *sites; /* open addressing by pc */
static uint8_t *mutation_of;
static struct {
	enum mutation what;
	char label[64];
} mutations[AT_ONCE];
static unsigned nmutations;

static struct symbol {
	uintptr_t addr;
	char name[48];
} * symbols;
static unsigned nsymbols;

static const char *program_path(void)
{
	static char path[1024];
	if (!path[0]) {
		ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		path[n < 0 ? 0 : n] = '\0';
	}
	return path;
}

/* ---- labels ---- */

static bool label_at(const char *p, char *label, size_t size)
{
	if (*p != '[')
		return false;
	size_t n = strcspn(p + 1, "]");
	if (n == 0 || n >= size || !isupper((unsigned char)p[1]) || !isdigit((unsigned char)p[n]))
		return false;
	memcpy(label, p + 1, n);
	label[n] = '\0';
	return true;
}

/* The label that begins a comment in this line, or in the one above if that only opens it. */
static bool label_in(const char *line, const char *above, char *label, size_t size)
{
	const char *p = strstr(line, "/*");
	if (p)
		return label_at(p + 2 + strspn(p + 2, " *"), label, size);
	const char *open = above ? strstr(above, "/*") : NULL;
	p = line + strspn(line, " \t");
	if (!open || open[2 + strspn(open + 2, " \t\n")] || *p != '*')
		return false;
	return label_at(p + strspn(p, "* "), label, size);
}

/* A line with an operation that has a label of its own. */
static bool is_ordered(const char *line)
{
	return strstr(line, "_acq_") || strstr(line, "_rel_") || strstr(line, "_ar_") ||
	       strstr(line, "wp_fence_sc(");
}

/*
 * The label on the line itself or, for what is not relaxed, the nearest one above: not beyond
 * another operation with an order (but a wake belongs to the operation before it), nor beyond the
 * function.
 */
static void find_label(struct site *s, const char *path)
{
	enum { KEEP = 16, WIDTH = 256 };
	static char line[KEEP][WIDTH];
	FILE *f = fopen(path, "r");
	if (!f)
		return;
	int n = 0;
	while (n < s->line && fgets(line[n % KEEP], WIDTH, f))
		n++;
	fclose(f);
	if (n != s->line || label_in(line[(n - 1) % KEEP], NULL, s->label, sizeof(s->label)))
		return;
	const char *at = line[(n - 1) % KEEP];
	bool wake = strstr(at, "_wake(") != NULL;
	if (strstr(at, "_rlx_") && !is_ordered(at))
		return;
	for (int i = n - 2; i >= 0 && i > n - 2 - (KEEP - 4); i--) {
		const char *above = line[i % KEEP];
		const char *before = i > 0 ? line[(i - 1) % KEEP] : NULL;
		if (label_in(above, before, s->label, sizeof(s->label)))
			return;
		if (above[0] == '}' || (!wake && is_ordered(above)))
			return;
	}
}

/* ---- places ---- */

static struct site *slot_of(uintptr_t pc)
{
	if (!sites) {
		sites = calloc(SITES, sizeof(*sites));
		mutation_of = calloc(SITES, 1);
		if (!sites || !mutation_of)
			abort();
	}
	size_t i = (pc * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
	while (sites[i].pc && sites[i].pc != pc)
		i = (i + 1) % SITES;
	return &sites[i];
}

static void set_mutation(struct site *s)
{
	uint8_t *m = &mutation_of[s - sites];
	*m = MUTATE_NONE;
	for (unsigned i = 0; i < nmutations; i++) {
		char label[64];
		snprintf(label, sizeof(label), "%s", mutations[i].label);
		char *file = strchr(label, '@');
		if (file)
			*file++ = '\0';
		if (strcmp(label, s->label) == 0 && (!file || strstr(s->file, file)))
			*m = (uint8_t)mutations[i].what;
	}
}

/* One frame of addr2line's answer: file:line. Keeps the innermost that is not a wrapper. */
static void take_frame(struct site *s, const char *function, char *place)
{
	place[strcspn(place, "\n")] = '\0';
	char *note = strstr(place, " (");
	if (note)
		*note = '\0';
	char *colon = strrchr(place, ':');
	if (!colon || s->line)
		return;
	int line = atoi(colon + 1);
	*colon = '\0';
	if (line == 0 || strstr(place, "base/atomic.h") || strstr(place, "stdatomic.h")) {
		s->both = s->both || strstr(function, "_ar_");
		return;
	}
	s->line = line;
	snprintf(s->function, sizeof(s->function), "%.*s", (int)strcspn(function, "\n"), function);
	find_label(s, place);
	const char *base = strrchr(place, '/');
	const char *shown = base ? base + 1 : place;
	if (base) { /* with its folder */
		while (base > place && base[-1] != '/')
			base--;
		shown = base;
	}
	snprintf(s->file, sizeof(s->file), "%.90s", shown);
}

static void resolve_some(const uintptr_t *pc, unsigned n)
{
	char command[1200 + PER_CALL * 20];
	int at = snprintf(command, sizeof(command), "addr2line -a -f -i -e '%s'", program_path());
	for (unsigned i = 0; i < n; i++)
		at += snprintf(command + at, sizeof(command) - (size_t)at, " %#zx",
			(size_t)(pc[i] - rt->program - 1));
	FILE *f = popen(command, "r");
	char a[512], b[512];
	unsigned k = 0;
	struct site *s = NULL;
	while (f && fgets(a, sizeof(a), f)) {
		if (strncmp(a, "0x", 2) == 0 && k < n) {
			s = slot_of(pc[k]);
			s->pc = pc[k++];
		} else if (fgets(b, sizeof(b), f) && s) {
			take_frame(s, a, b);
		}
	}
	if (f)
		pclose(f);
	for (unsigned i = 0; i < n; i++) {
		s = slot_of(pc[i]);
		s->pc = pc[i];
		if (!s->file[0])
			snprintf(s->file, sizeof(s->file), "%#zx", (size_t)(pc[i] - rt->program));
		set_mutation(s);
	}
}

const struct site *rt_site(const void *pc)
{
	uintptr_t at = (uintptr_t)pc;
	struct site *s = slot_of(at);
	if (!s->pc)
		resolve_some(&at, 1);
	return slot_of(at);
}

static enum mutation how_to_mutate(const char *callee)
{
	if (strstr(callee, "_fence") || strstr(callee, "barrier"))
		return MUTATE_DROP_FENCE;
	return strstr(callee, "wake") ? MUTATE_SKIP_WAKE : MUTATE_WEAKEN;
}

static void resolve_kinds(const uintptr_t *pc, const enum mutation *kinds, unsigned n)
{
	resolve_some(pc, n);
	for (unsigned i = 0; i < n; i++)
		slot_of(pc[i])->how = kinds[i];
}

/* All calls that can be mutated, found in the program's machine code. */
static void load_sites(void)
{
	static bool loaded;
	char command[1500];
	if (loaded)
		return;
	loaded = true;
	snprintf(command, sizeof(command),
		"objdump -d --no-show-raw-insn '%s' | awk '"
		"was { print $1, was; was = \"\" } "
		"/(call|bl).*<(__tsan_atomic|wp__os_futex_wake|wp__os_membarrier>)/ { was = $NF }'",
		program_path());
	FILE *f = popen(command, "r");
	char text[128];
	uintptr_t pc[PER_CALL];
	enum mutation kinds[PER_CALL];
	unsigned n = 0, total = 0;
	while (f && fgets(text, sizeof(text), f) && total < SITES / 2) {
		pc[n++] = (uintptr_t)strtoull(text, NULL, 16) + rt->program;
		kinds[n - 1] = how_to_mutate(text);
		total++;
		if (n == PER_CALL) {
			resolve_kinds(pc, kinds, n);
			n = 0;
		}
	}
	if (f)
		pclose(f);
	if (n)
		resolve_kinds(pc, kinds, n);
}

bool rt_mutate(enum mutation what, const char *label)
{
	if (nmutations == AT_ONCE)
		return false;
	mutations[nmutations].what = what;
	snprintf(mutations[nmutations].label, sizeof(mutations[0].label), "%s", label);
	nmutations++;
	load_sites();
	bool found = false;
	for (unsigned i = 0; i < SITES; i++)
		if (sites[i].pc) {
			set_mutation(&sites[i]);
			found = found || mutation_of[i];
		}
	rt_mutating = rt_mutating || found;
	return found;
}

void rt_mutate_nothing(void)
{
	nmutations = 0;
	rt_mutating = false;
	for (unsigned i = 0; mutation_of && i < SITES; i++)
		mutation_of[i] = MUTATE_NONE;
}

enum mutation rt_only_mutation(const char **label)
{
	if (nmutations != 1)
		return MUTATE_NONE;
	*label = mutations[0].label;
	return mutations[0].what;
}

enum mutation rt_mutation_at(const void *pc)
{
	struct site *s = slot_of((uintptr_t)pc);
	if (!s->pc)
		s = slot_of(rt_site(pc)->pc);
	return (enum mutation)mutation_of[s - sites];
}

static int by_label(const void *a, const void *b)
{
	const struct site *x = *(const struct site *const *)a, *y = *(const struct site *const *)b;
	int c = strcmp(x->label, y->label);
	return c ? c : strcmp(x->file, y->file) ? strcmp(x->file, y->file) : x->line - y->line;
}

static void list_label(const struct site *s, enum mutation how)
{
	static const char *const names[] = { "-", "weaken", "drop-acquire", "drop-release",
		"drop-fence", "skip-wake" };
	printf("%-6s %-12s %s:%d %s\n", s->label, names[how], s->file, s->line, s->function);
}

/* One line per label, place and change: the label, the option that makes it, the place. */
void rt_list_labels(void)
{
	static const struct site *list[SITES];
	size_t n = 0;
	load_sites();
	for (unsigned i = 0; sites && i < SITES; i++)
		if (sites[i].pc && sites[i].label[0])
			list[n++] = &sites[i];
	qsort(list, n, sizeof(list[0]), by_label);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_label(&list[i], &list[i - 1]) == 0)
			continue;
		list_label(list[i], list[i]->how);
		if (list[i]->both) {
			list_label(list[i], MUTATE_DROP_ACQUIRE);
			list_label(list[i], MUTATE_DROP_RELEASE);
		}
	}
}

/* ---- names of static data ---- */

static void load_symbols(void)
{
	char command[1200], line[256], type, name[128];
	unsigned long long addr;
	symbols = calloc(SYMBOLS, sizeof(*symbols));
	snprintf(command, sizeof(command), "nm -n '%s'", program_path());
	FILE *f = symbols ? popen(command, "r") : NULL;
	while (f && fgets(line, sizeof(line), f) && nsymbols < SYMBOLS) {
		if (sscanf(line, "%llx %c %127s", &addr, &type, name) != 3 || !strchr("bBdD", type))
			continue;
		symbols[nsymbols].addr = (uintptr_t)addr + rt->program;
		snprintf(symbols[nsymbols].name, sizeof(symbols[0].name), "%.47s", name);
		nsymbols++;
	}
	if (f)
		pclose(f);
}

const char *rt_symbol(uintptr_t addr, uint64_t *offset)
{
	if (!symbols)
		load_symbols();
	const struct symbol *best = NULL;
	for (unsigned i = 0; i < nsymbols && symbols[i].addr <= addr; i++)
		best = &symbols[i];
	*offset = best ? addr - best->addr : addr;
	return best ? best->name : "data";
}
