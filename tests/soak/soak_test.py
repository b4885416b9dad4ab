#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The soak finds nothing in a few seconds, and finds what is made up for it.

usage: soak_test.py SOAK SOAK_HOOKED
"""

import re
import subprocess
import sys

SOAK, HOOKED = sys.argv[1:3]
# Only a hang takes that long: a standstill is noticed by the program itself.
LIMIT = 600
results = []


def run(program, *arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=LIMIT, check=False)
    return done.returncode, done.stdout


def expect(what, ok, output):
    results.append(bool(ok))
    print(f'{"ok" if ok else "FAILED"}: {what}')
    if not ok:
        print(output)


def figure(output, name):
    """The number behind a name at the beginning of a line of the report."""
    found = re.search(rf'^{name} +(\d+)', output, re.M)
    return int(found.group(1)) if found else -1


def ended(output, how):
    """How many of the accepted jobs ended so."""
    found = re.search(rf'^ +(\d+) {how}$', output, re.M)
    return int(found.group(1)) if found else -1


def check_kinds(output):
    """Everything was mixed in; what is rare, where there were jobs enough."""
    often = ['refused', 'producers', 'contexts']
    rare = ['panicked', 'cancelled'] if figure(output, 'jobs') > 20000 else []
    kinds = {name: figure(output, name) for name in often}
    kinds.update((name, ended(output, name)) for name in ['completed', 'failed', *rare])
    expect(f'of every kind there were some: {kinds}', min(kinds.values()) > 0, output)
    ends = [ended(output, name) for name in
            ['completed', 'failed', 'panicked', 'cancelled', 'dropped by a stop',
             'taken from a bare queue']]
    expect('each accepted job came to one end',
           min(ends) >= 0 and sum(ends) == figure(output, 'jobs'), output)


def check_good(what, program, *arguments):
    status, output = run(program, *arguments)
    expect(what, status == 0 and 'soak: nothing was wrong' in output and
           figure(output, 'lost') == 0 and figure(output, 'duplicated') == 0 and
           figure(output, 'jobs') > 1000, output)
    return output


def check_mistake(lost, duplicated):
    status, output = run(SOAK, '--seconds', '1', '--seed', '1', '--no-stress',
                         '--lose', str(lost), '--duplicate', str(duplicated))
    expect(f'{lost} lost and {duplicated} duplicated are found',
           status == 1 and 'WRONG' in output and figure(output, 'lost') == lost and
           figure(output, 'duplicated') == duplicated, output)


def main():
    output = check_good('the library as it is shipped', SOAK, '--seconds', '3', '--seed', '1')
    check_kinds(output)
    expect('threads were disturbed', 'stress      threads stopped' in output, output)
    check_good('the library with hooks', HOOKED, '--seconds', '2', '--seed', '2')
    output = check_good('without stress, with less time', SOAK, '--seconds', '1', '--seed', '3',
                        '--no-stress', '--cpus', '0.5')
    expect('and no thread was disturbed', 'stress      none' in output, output)
    check_mistake(1, 0)
    check_mistake(0, 1)
    check_mistake(1, 1)
    for bad in (['--seconds', '0'], ['--seconds', 'x'], ['--nonsense'], ['more']):
        status, output = run(SOAK, *bad)
        expect(f'refused: {" ".join(bad)}', status == 2 and 'usage' in output, output)
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
