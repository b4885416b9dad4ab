#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The test adapter reports failing, crashing and hanging tests as failed, and counts right.

usage: adapter.py PLAIN [CRITERION]    the programs of adapter_cases.c
"""

import os
import subprocess
import sys

# Whatever is set for the tests around this one.
PLAIN = {'LC_ALL': 'C', 'WP_TEST_TIMEOUT_SCALE': '1'}
PASSED, FAILED, SKIPPED = 2, 11, 1


def line_of(code):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'adapter_cases.c')
    with open(path, encoding='utf-8') as f:
        return next(number for number, line in enumerate(f, 1) if code in line)


# What a failed assertion says, wherever it fails.
MESSAGES = (
    f'adapter_cases.c:{line_of("t_assert(three == 4)")}: assertion failed: three == 4',
    'assertion failed: three is 3',
    'assertion failed: -3 is -3, not 4 (4)',
    'is 18446744073709551615 (0xffffffffffffffff), not 4 (4)',
    '"apples" is "apples", not "pears" ("pears")',
    'none is "(null)", not "pears" ("pears")',
    'assertion failed: seen in a thread',
)
results = []


def expect(what, ok, output=''):
    results.append(bool(ok))
    if not ok:
        print(f'FAILED: {what}', output, sep='\n')


def run(*command, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **PLAIN, **environment}, check=False)
    return done.returncode, done.stdout


def both(program, name):
    status, output = run(program)
    counts = f'{PASSED} passed, {FAILED} failed, {SKIPPED} skipped'
    expect(f'{name}: counts', counts in output.splitlines(), output)
    expect(f'{name}: exit status', status != 0, output)
    for message in MESSAGES:
        expect(f'{name}: says {message!r}', message in output, output)


def plain(program):
    status, output = run(program, '--filter', 'good/*', '-v')
    expect('good tests exit with 0', status == 0, output)
    expect('good tests are counted', '2 passed, 0 failed, 1 skipped' in output, output)
    expect('a skip has its reason', 'skipped: for the reason given' in output, output)
    _, output = run(program, '--filter', 'bad/*')
    expect('a crash has its signal', 'bad/crashes: killed by signal 11' in output, output)
    expect('an abort has its signal', 'bad/aborts: killed by signal 6' in output, output)
    expect('a status is shown', 'bad/exits_with_status: exit status 3' in output, output)
    expect('a hang is called so', 'bad/hangs: hangs: killed after 1 s' in output, output)
    expect('a filter filters', '0 passed, 11 failed, 0 skipped' in output, output)
    _, output = run(program, '--filter', 'bad/hangs', WP_TEST_TIMEOUT_SCALE='2')
    expect('the limit is scaled', 'killed after 2 s' in output, output)
    status, output = run(program, '--list')
    expect('a list of all tests', status == 0 and len(output.splitlines()) == 14, output)
    expect('the list has the names', 'bad/thread_fails' in output.splitlines(), output)
    status, output = run(program, '--no-fork', '--filter', 'good/passes')
    expect('without fork', status == 0 and '1 passed, 0 failed' in output, output)
    status, output = run(program, '--nonsense')
    expect('an unknown option is refused', status == 2 and 'usage:' in output, output)


def main():
    both(sys.argv[1], 'plain')
    plain(sys.argv[1])
    for program in sys.argv[2:]:
        both(program, 'criterion')
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
