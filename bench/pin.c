/* SPDX-License-Identifier: MIT */
#include "pin.h"

#include <pthread.h>
#include <sched.h>

#include <wpool/wpool.h>

#define CPUS_MAX 1024

static unsigned order[CPUS_MAX];
static unsigned order_count;

/* Called first by the main thread, before there are others. */
static void look_up(void)
{
	int different;

	if (order_count != 0)
		return;
	different = wp_pin_order(order, CPUS_MAX);
	if (different < 1) {
		order[0] = 0;
		different = 1;
	}
	order_count = (unsigned)different < CPUS_MAX ? (unsigned)different : CPUS_MAX;
}

unsigned pin_cpus(void)
{
	look_up();
	return order_count;
}

int pin_cpu(unsigned place)
{
	look_up();
	return (int)order[place % order_count];
}

void pin_thread(int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

int pin_cpu_if(bool wanted, unsigned place)
{
	return wanted ? pin_cpu(place) : -1;
}
