/* SPDX-License-Identifier: MIT */
/* What a failure looks like: the choices as one string, and what each thread did, in columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"

#define EVENTS_SHOWN 400u

/* ---- events ---- */

void rt_event(enum op_kind kind, int order, uintptr_t addr, uint64_t before, uint64_t after,
	bool wrote, unsigned stale, const void *pc)
{
	rt_mix(((uint64_t)kind << 8 | rt->cur) ^ (uintptr_t)pc ^ addr << 20);
	rt_mix(before);
	rt_mix(after + wrote);
	if (!rt->tracing || rt->nevents == RT_EVENTS)
		return;
	struct event *e = &rt->event[rt->nevents++];
	memset(e, 0, sizeof(*e));
	e->fiber = rt->cur;
	e->kind = (uint8_t)kind;
	e->order = (uint8_t)order;
	e->addr = addr;
	e->before = before;
	e->after = after;
	e->wrote = wrote;
	e->stale = (uint8_t)stale;
	e->pc = pc;
}

/* ---- the replay string ---- */

/*
 * Pairs zeros:value, separated by commas: so many harmless choices, then this one. What is left
 * out at the end is harmless.
 */
void rt_print_choices(char *buffer, size_t size)
{
	size_t at = 0;
	unsigned zeros = 0;
	snprintf(buffer, size, "-");
	for (uint32_t i = 0; i < rt->nchoices && at + 24 < size; i++) {
		if (!rt->choice[i].value) {
			zeros++;
			continue;
		}
		at += (size_t)snprintf(buffer + at, size - at, "%s%u:%u", at ? "," : "", zeros,
			rt->choice[i].value);
		zeros = 0;
	}
}

bool rt_parse_choices(const char *text)
{
	memset(rt->choice, 0, sizeof(rt->choice));
	rt->nchoices = 0;
	if (strcmp(text, "-") == 0)
		return true;
	while (*text) {
		char *end;
		unsigned long zeros = strtoul(text, &end, 10);
		if (end == text || *end != ':' || zeros >= RT_CHOICES - rt->nchoices)
			return false;
		text = end + 1;
		unsigned long value = strtoul(text, &end, 10);
		if (end == text || value > 255 || (*end && *end != ','))
			return false;
		rt->nchoices += (uint32_t)zeros;
		rt->choice[rt->nchoices++].value = (uint8_t)value;
		text = *end ? end + 1 : end;
	}
	return true;
}

/* ---- the report ---- */

static const char *kind_name(unsigned kind)
{
	static const char *const names[] = { "", "load", "store", "rmw", "cas", "fence", "wait",
		"wake", "lock", "unlock", "create", "join", "alloc", "free", "hint", "sleep", "rcu",
		"note", "begin", "ends", "plain", "choose" };
	return names[kind];
}

static const char *order_name(unsigned order)
{
	static const char *const names[] = { "rlx", "con", "acq", "rel", "ar", "sc" };
	return order < 6 ? names[order] : "?";
}

static void describe(const struct event *e, char *text, size_t size)
{
	char where[64] = "";
	unsigned long long before = e->before, after = e->after;
	if (e->addr)
		rt_where(e->addr, where, sizeof(where));
	switch (e->kind) {
	case OP_LOAD:
		snprintf(text, size, "load.%s %s = %#llx%s", order_name(e->order), where, before,
			e->stale ? " (OLD)" : "");
		break;
	case OP_STORE:
		snprintf(text, size, "store.%s %s <- %#llx%s", order_name(e->order), where, after,
			e->stale ? " (LATE)" : "");
		break;
	case OP_RMW:
		snprintf(text, size, "rmw.%s %s %#llx -> %#llx", order_name(e->order), where,
			before, after);
		break;
	case OP_CAS:
		if (e->wrote)
			snprintf(text, size, "cas.%s %s %#llx -> %#llx", order_name(e->order),
				where, before, after);
		else
			snprintf(text, size, "cas.%s %s fails, %#llx%s", order_name(e->order),
				where, before, e->stale ? " (OLD)" : "");
		break;
	case OP_FENCE:
		snprintf(text, size, "fence.%s", order_name(e->order));
		break;
	case OP_NOTE:
		snprintf(text, size, "%s %#llx", e->text, before);
		break;
	default:
		snprintf(text, size, "%s %s %s", kind_name(e->kind), where, e->text ? e->text : "");
		break;
	}
}

static void print_place(const void *pc)
{
	if (!pc)
		return;
	const struct site *s = rt_site(pc);
	if (s->label[0])
		printf("[%s] ", s->label);
	printf("%s:%d", s->file, s->line);
}

static void print_events(void)
{
	unsigned width = 104 / (rt->nfibers > 1 ? rt->nfibers - 1u : 1u);
	if (width > 44)
		width = 44;
	uint32_t from = rt->nevents > EVENTS_SHOWN ? rt->nevents - EVENTS_SHOWN : 0;
	printf("  step ");
	for (unsigned i = 1; i < rt->nfibers; i++)
		printf("thread %-*u", (int)width - 7, i);
	printf("\n");
	if (from)
		printf("  ... %u steps before\n", from);
	for (uint32_t i = from; i < rt->nevents; i++) {
		const struct event *e = &rt->event[i];
		char text[200];
		describe(e, text, sizeof(text));
		unsigned indent = e->fiber ? (e->fiber - 1u) * width : 0;
		unsigned rest = (rt->nfibers - 1u) * width;
		rest = rest > indent ? rest - indent : 0;
		printf("  %4u %*s%-*s ", i + 1, (int)indent, "", (int)rest, text);
		print_place(e->pc);
		printf("\n");
	}
}

/* Of the last execution, which failed while it was traced. */
void rt_report(void)
{
	static char choices[4096];
	rt_print_choices(choices, sizeof(choices));
	printf("FAILED %s%s: %s: %s\n", rt->test->name, rt->variant ? " (broken form)" : "",
		rt->what, rt->message);
	for (unsigned i = 0; i < 2; i++) {
		if (!rt->fail_pc[i])
			continue;
		printf("  %s ", i ? "other side: " : "here: ");
		print_place(rt->fail_pc[i]);
		printf("\n");
	}
	print_events();
	printf("  replay: --test %s%s --replay '%s'\n", rt->test->name,
		rt->variant ? " --broken" : "", choices);
	fflush(stdout);
}
