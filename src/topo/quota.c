/* SPDX-License-Identifier: MIT */
#include "topo/quota.h"

#include <limits.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/layout.h"
#include "base/os.h"

/* Most systems have a mountinfo of a few KiB; container hosts reach 1 MiB. */
#define TEXT_FIRST (16u * 1024)
#define TEXT_MAX   (4u * 1024 * 1024)

/* The kernel takes no longer path in one call. */
#define PATH_SIZE 4096

/* Groups looked at in all; real ones are nested about ten deep and mounted once or twice. */
#define GROUPS_MAX 512

/* A part of a text; not ended by a zero. */
struct span {
	const char *at;
	size_t length;
};

/* The tree of groups of one version that has the cpu controller, and our group in it. */
struct hierarchy {
	bool found;
	struct span group;
};

struct search {
	const char *root;
	struct hierarchy v1, v2;
	unsigned groups_left;
	unsigned least; /* 0: no limit yet */
	/* One mount, with the escapes resolved. */
	char shown[PATH_SIZE];       /* the group that appears at the mount point */
	char mount_point[PATH_SIZE]; /* without a slash at its end */
	char file[PATH_SIZE];
};

/* ---- spans ---- */

/* Cuts off what is before the first `end`, or all; false when nothing is left to cut. */
static bool cut(struct span *rest, char end, struct span *part)
{
	if (!rest->at)
		return false;
	const char *found = rest->length ? memchr(rest->at, end, rest->length) : NULL;
	part->at = rest->at;
	part->length = found ? (size_t)(found - rest->at) : rest->length;
	if (found)
		*rest = (struct span){ found + 1, rest->length - part->length - 1 };
	else
		*rest = (struct span){ NULL, 0 };
	return true;
}

static bool is(struct span s, const char *text)
{
	return s.length == strlen(text) && memcmp(s.at, text, s.length) == 0;
}

/* Whether `word` is in a list with commas. */
static bool lists(struct span list, const char *word)
{
	struct span item;
	while (cut(&list, ',', &item))
		if (is(item, word))
			return true;
	return false;
}

static bool has_dotdot(struct span path)
{
	struct span name;
	while (cut(&path, '/', &name))
		if (is(name, ".."))
			return true;
	return false;
}

/* Reads a decimal number off the front; false when there is none or it does not fit. */
static bool take_number(struct span *s, uint64_t *value)
{
	size_t digits = 0;
	uint64_t v = 0;
	for (; digits < s->length && s->at[digits] >= '0' && s->at[digits] <= '9'; digits++) {
		uint64_t digit = (uint64_t)(s->at[digits] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	s->at += digits;
	s->length -= digits;
	*value = v;
	return digits > 0;
}

static bool take_char(struct span *s, char c)
{
	if (s->length == 0 || s->at[0] != c)
		return false;
	s->at++;
	s->length--;
	return true;
}

/* Whether nothing but the end of the line is left. */
static bool at_end(struct span s)
{
	take_char(&s, '\n');
	return s.length == 0;
}

/* ---- files ---- */

/* root and path in one; false when that is too long. */
static bool join(char *out, const char *root, const char *path)
{
	size_t a = strlen(root), b = strlen(path);
	if (a >= PATH_SIZE || b >= PATH_SIZE - a)
		return false;
	memcpy(out, root, a);
	memcpy(out + a, path, b + 1);
	return true;
}

/*
 * The whole file in memory for wp__free, with the length that was read; NULL when it cannot be
 * had. A line that the largest buffer cuts in two is left out.
 */
static char *read_text(const char *root, const char *path, struct span *text)
{
	for (size_t size = TEXT_FIRST;; size *= 4) {
		/* Behind the text there is room for the file's name. */
		char *buffer = wp__alloc(alignof(max_align_t), size + PATH_SIZE);
		if (!buffer)
			return NULL;
		long length = -1;
		if (join(buffer + size, root, path))
			length = wp__os_read_file(buffer + size, buffer, size);
		if (length < 0) {
			wp__free(buffer);
			return NULL;
		}
		text->at = buffer;
		text->length = (size_t)length;
		if (text->length < size - 1)
			return buffer;
		if (size >= TEXT_MAX) {
			while (text->length > 0 && buffer[text->length - 1] != '\n')
				text->length--;
			return buffer;
		}
		wp__free(buffer);
	}
}

/* A file of one line; false when it is missing or longer than the buffer. */
static bool read_line(const char *path, char *buffer, size_t size, struct span *text)
{
	long length = wp__os_read_file(path, buffer, size);
	if (length <= 0 || (size_t)length >= size - 1)
		return false;
	text->at = buffer;
	text->length = (size_t)length;
	return true;
}

/* ---- the limit of one group ---- */

static void limit(struct search *s, uint64_t quota, uint64_t period)
{
	if (quota == 0 || period == 0)
		return;
	uint64_t cpus = quota / period + (quota % period != 0);
	unsigned rounded = (unsigned)wp_min_u64(cpus, UINT_MAX);
	if (s->least == 0 || rounded < s->least)
		s->least = rounded;
}

/* Reads a file of the directory whose path is the first `length` bytes of s->file. */
static bool read_limit(struct search *s, size_t length, const char *name, char *buffer, size_t size,
	struct span *text)
{
	size_t name_size = strlen(name) + 1;
	if (name_size > PATH_SIZE - length)
		return false;
	memcpy(s->file + length, name, name_size);
	return read_line(s->file, buffer, size, text);
}

/* cpu.max: "<quota or max> <period>" */
static void look_at_group_v2(struct search *s, size_t length)
{
	char buffer[64];
	struct span text;
	uint64_t quota, period;
	if (!read_limit(s, length, "/cpu.max", buffer, sizeof(buffer), &text))
		return;
	/* "max" is no number either. */
	if (take_number(&text, &quota) && take_char(&text, ' ') && take_number(&text, &period) &&
		at_end(text))
		limit(s, quota, period);
}

/* Two files of one number each; a quota of -1 is none, and no number to take_number. */
static void look_at_group_v1(struct search *s, size_t length)
{
	char buffer[64];
	struct span text;
	uint64_t quota, period;
	if (!read_limit(s, length, "/cpu.cfs_quota_us", buffer, sizeof(buffer), &text) ||
		!take_number(&text, &quota) || !at_end(text))
		return;
	if (!read_limit(s, length, "/cpu.cfs_period_us", buffer, sizeof(buffer), &text) ||
		!take_number(&text, &period) || !at_end(text))
		return;
	limit(s, quota, period);
}

/* ---- the groups that a mount shows ---- */

/*
 * Whether `path` is `top` (which has no slash at its end) or below it; `below` is then the rest,
 * empty or with a leading slash.
 */
static bool is_below(struct span path, const char *top, struct span *below)
{
	size_t length = strlen(top);
	if (path.length < length || memcmp(path.at, top, length) != 0)
		return false;
	below->at = path.at + length;
	below->length = path.length - length;
	return below->length == 0 || below->at[0] == '/';
}

/* Counts the names ".." at the front of a path; false when one follows after another name. */
static bool count_up(struct span path, unsigned *up, bool *only)
{
	struct span name;
	*up = 0;
	*only = true;
	while (cut(&path, '/', &name)) {
		if (name.length == 0)
			continue;
		if (!is(name, ".."))
			*only = false;
		else if (!*only)
			return false;
		else
			++*up;
	}
	return true;
}

/*
 * Whether a mount shows an ancestor of our cgroup namespace, "/..", "/../.." and so on, that lies
 * above our group. By which names one gets from there to our group cannot be known; the ancestor
 * itself binds us all the same.
 */
static bool is_ancestor(struct span group, const char *shown)
{
	unsigned group_up, shown_up;
	bool group_only, shown_only;
	return count_up(group, &group_up, &group_only) &&
	       count_up((struct span){ shown, strlen(shown) }, &shown_up, &shown_only) &&
	       shown_only && shown_up > group_up;
}

/* Looks at the group of a hierarchy in the mount in s->shown and s->mount_point, and upwards. */
static void climb(
	struct search *s, struct span group, void (*look_at_group)(struct search *s, size_t length))
{
	struct span below = { "", 0 };
	if (!is_below(group, s->shown, &below)) {
		if (!is_ancestor(group, s->shown))
			return;
	} else if (has_dotdot(below)) {
		return; /* our group is outside of what the mount shows */
	}
	if (!join(s->file, s->root, s->mount_point))
		return;
	size_t top = strlen(s->file);
	/*
	 * Of a path that is too long the upper part can be looked at: a name that was cut in two
	 * here leaves no room for that of a file, so it is passed over.
	 */
	size_t length = wp_min_u64(below.length, PATH_SIZE - top);
	memcpy(s->file + top, below.at, length);
	for (;;) {
		while (length > 0 && s->file[top + length - 1] == '/')
			length--;
		if (s->groups_left == 0)
			return;
		s->groups_left--;
		look_at_group(s, top + length);
		if (length == 0)
			return;
		while (s->file[top + length - 1] != '/')
			length--;
	}
}

/* ---- /proc/self/cgroup and /proc/self/mountinfo ---- */

/* "0::/group" is version 2, "3:cpu,cpuacct:/group" version 1; a group's name may contain colons. */
static void find_groups(struct search *s, struct span text)
{
	struct span line, id, controllers;
	while (cut(&text, '\n', &line)) {
		if (line.length && memchr(line.at, '\0', line.length))
			continue;
		if (!cut(&line, ':', &id) || !cut(&line, ':', &controllers) || line.length == 0 ||
			line.at[0] != '/')
			continue;
		struct hierarchy *h = NULL;
		if (is(id, "0") && controllers.length == 0)
			h = &s->v2;
		else if (lists(controllers, "cpu"))
			h = &s->v1;
		if (!h || h->found)
			continue;
		h->found = true;
		h->group = line;
	}
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/*
 * An absolute path with its escapes ("\040" is a space) resolved; no slash at the end, so that "/"
 * becomes "". False when it is none, is too long, or an escape gives a zero.
 */
static bool unescape(struct span in, char *out)
{
	size_t n = 0;
	if (in.length == 0 || in.at[0] != '/')
		return false;
	for (size_t i = 0; i < in.length; i++, n++) {
		const char *c = &in.at[i];
		if (n == PATH_SIZE - 1)
			return false;
		out[n] = *c;
		if (*c == '\\' && in.length - i > 3 && c[1] >= '0' && c[1] <= '3' &&
			is_octal(c[2]) && is_octal(c[3])) {
			out[n] = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
			i += 3;
		}
		if (out[n] == '\0')
			return false;
	}
	while (n > 0 && out[n - 1] == '/')
		n--;
	out[n] = '\0';
	return true;
}

/*
 * "36 35 98:0 <shown> <mount point> <options> <optional fields> - <type> <source> <options>"; the
 * type decides first, because few of the lines are those of cgroups.
 */
static void look_at_mount(struct search *s, struct span line)
{
	struct span field[6], part = { NULL, 0 }, type, source, options;
	if (line.length == 0 || memchr(line.at, '\0', line.length))
		return;
	for (unsigned i = 0; i < 6; i++)
		if (!cut(&line, ' ', &field[i]))
			return;
	while (cut(&line, ' ', &part) && !is(part, "-"))
		;
	if (!part.at || !is(part, "-") || !cut(&line, ' ', &type) || !cut(&line, ' ', &source) ||
		!cut(&line, ' ', &options))
		return;
	bool v2 = is(type, "cgroup2");
	bool v1 = is(type, "cgroup") && lists(options, "cpu");
	if (!(v2 ? s->v2.found : v1 && s->v1.found))
		return;
	if (!unescape(field[3], s->shown) || !unescape(field[4], s->mount_point))
		return;
	if (has_dotdot((struct span){ s->mount_point, strlen(s->mount_point) }))
		return;
	if (v2)
		climb(s, s->v2.group, look_at_group_v2);
	else
		climb(s, s->v1.group, look_at_group_v1);
}

unsigned wp__quota_cpus(const char *root)
{
	struct search *s = wp__alloc(alignof(max_align_t), sizeof(*s));
	if (!s)
		return 0;
	s->root = root;
	s->groups_left = GROUPS_MAX;
	struct span groups, mounts, line;
	char *groups_text = read_text(root, "/proc/self/cgroup", &groups);
	if (groups_text)
		find_groups(s, groups);
	if (s->v1.found || s->v2.found) {
		char *mounts_text = read_text(root, "/proc/self/mountinfo", &mounts);
		while (mounts_text && cut(&mounts, '\n', &line))
			look_at_mount(s, line);
		wp__free(mounts_text);
	}
	unsigned least = s->least;
	wp__free(groups_text);
	wp__free(s);
	return least;
}

/* ---- usable CPUs ---- */

/* Adds up a list such as "0-3,5"; 0 when it is none. */
static unsigned count_list(struct span text)
{
	unsigned n = 0;
	uint64_t first, last;
	do {
		if (!take_number(&text, &first))
			return 0;
		last = first;
		if (take_char(&text, '-') && !take_number(&text, &last))
			return 0;
		if (last < first || last >= WP__CPU_MAX)
			return 0;
		n += (unsigned)(last - first + 1);
	} while (n <= WP__CPU_MAX && take_char(&text, ','));
	return at_end(text) && n <= WP__CPU_MAX ? n : 0;
}

static unsigned count_online(const char *root)
{
	struct span text;
	char *buffer = read_text(root, "/sys/devices/system/cpu/online", &text);
	unsigned n = buffer ? count_list(text) : 0;
	wp__free(buffer);
	return n;
}

unsigned wp__usable_cpus(const char *root)
{
	struct wp__cpu_set mask;
	unsigned cpus = 0;
	if (wp__os_get_affinity(&mask) == 0)
		for (size_t i = 0; i < WP__CPU_MAX / 64; i++)
			cpus += (unsigned)__builtin_popcountll(mask.bits[i]);
	else
		cpus = count_online(root);
	unsigned quota = wp__quota_cpus(root);
	if (quota != 0 && quota < cpus)
		cpus = quota;
	return cpus ? cpus : 1;
}
