# SPDX-License-Identifier: MIT
"""The parts of tools/bench-gate.

    instructions   instructions per job by callgrind, against bench/baseline.json
    timing         this build against another revision, in turns
"""


class CannotTell(Exception):
    """One line for the user: the gate could not do its work."""


class Skipped(Exception):
    """One line for the user: here there is nothing to compare with, or nothing to count with."""
