/* SPDX-License-Identifier: MIT */
/*
 * What the xenium programs share. xenium::ramalhete_queue holds pointers; the jobs they point to
 * stand in an array that is made before the clock starts (see urcu.c, which does the same). The
 * reclaimer is debra, the one whose regions cost least of those that xenium offers: it looks at one
 * other thread for each, not at all of them.
 */
#ifndef BENCH_PEERS_XENIUM_HPP
#define BENCH_PEERS_XENIUM_HPP

#include <array> /* xenium 0.0.2 forgets it */
#include <cstdlib>

#include <xenium/reclamation/generic_epoch_based.hpp>

#include "peer.hpp"

struct job_array {
	peer_job *jobs;

	explicit job_array(const peer_case &c)
	    : jobs(static_cast<peer_job *>(bench_alloc(c.jobs + 1, sizeof(peer_job))))
	{
	}

	job_array(const job_array &) = delete;
	job_array &operator=(const job_array &) = delete;

	~job_array()
	{
		std::free(jobs);
	}

	peer_job *fill(uint64_t id)
	{
		jobs[id] = peer_job_of(id);
		return &jobs[id];
	}
};

using xenium_reclaimer = xenium::reclamation::debra<>;

#endif
