/* SPDX-License-Identifier: MIT */
/* Stands in for gzip.c in a build without libdeflate. */
#include <stddef.h>

#include "tool.h"

int command_gzip(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	tool_error("gzip", NULL, "not in this build: libdeflate was not found when wp was built");
	return STATUS_FAILED;
}
