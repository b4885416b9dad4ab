#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the test cases of a `meson test` run.

usage: tally.py TESTLOG_JSON    prints "PASSED FAILED SKIPPED"

A test program that says "N passed, N failed" is as many cases; any other is one case. A program
that ended badly although it reported no failure is one failure more.
"""

import json
import re
import sys

COUNTS = re.compile(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', re.M)
GOOD = ('OK', 'EXPECTEDFAIL')


def cases(entry):
    found = COUNTS.findall(entry.get('stdout') or '')
    result = entry['result']
    if result == 'SKIP':
        return 0, 0, 1
    if not found:
        return (1, 0, 0) if result in GOOD else (0, 1, 0)
    passed, failed, skipped = (int(n or 0) for n in found[-1])
    if result not in GOOD and failed == 0:
        failed = 1
    return passed, failed, skipped


def count(path):
    """[passed, failed, skipped] of a whole run."""
    totals = [0, 0, 0]
    with open(path, encoding='utf-8') as f:
        for line in f:
            for i, n in enumerate(cases(json.loads(line))):
                totals[i] += n
    return totals


def main():
    print(*count(sys.argv[1]))


if __name__ == '__main__':
    main()
