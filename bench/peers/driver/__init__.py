# SPDX-License-Identifier: MIT
"""The parts of tools/bench-peers: programs (what is built), measure (rounds), table (report)."""
