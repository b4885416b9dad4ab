/* SPDX-License-Identifier: MIT */
/* A program as somebody outside of the tree writes it; install.py builds it against the library. */
#include <stdio.h>
#include <string.h>

#include <wpool/wpool.h>

static int leave_mark(void *payload)
{
	*(char *)payload = 'x';
	return 0;
}

int main(void)
{
	static char marks[1000];
	struct wp_pool *pool;
	struct wp_stop_report report;
	if (strcmp(wp_version(), WP_VERSION_STRING) != 0 || wp_pool_create(&pool, NULL) != 0)
		return 1;
	for (size_t i = 0; i < sizeof(marks); i++)
		if (wp_submit(pool, leave_mark, &marks[i]) != 0)
			return 2;
	if (wp_pool_shutdown(pool, WP_FOREVER, &report) != 0 || report.completed != sizeof(marks))
		return 3;
	wp_pool_destroy(pool);
	for (size_t i = 0; i < sizeof(marks); i++)
		if (marks[i] != 'x')
			return 4;
	puts("outside program: ok");
	return 0;
}
