#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An example prints what its head says that it prints.

usage: example.py SOURCE PROGRAM

The comment at its head ends with a line "... prints ...:" and the lines that the program prints,
indented by four blanks; "..." in them stands for anything within the line. The program must end
with status 0 and print nothing to standard error. One that announces that it waits for SIGTERM is
sent one.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

INCLUDES_ALLOWED = re.compile(r'wpool/\w+\.h|(?:assert|errno|pthread|semaphore|signal|stdatomic'
                              r'|stdbool|stddef|stdint|stdio|stdlib|string|time|unistd)\.h')
ANNOUNCES = 'send SIGTERM'
LIMIT = 300  # seconds; for a hang


def expected_lines(source):
    """What the head of the source says, or None."""
    found = re.search(r'^ \*.*\bprints\b.*:\n \*\n((?: \*     .*\n)+) \*/$', source, re.M)
    if not found:
        return None
    return [line[len(' *     '):] for line in found.group(1).rstrip('\n').split('\n')]


def difference(expected, printed):
    """The first difference in words, or None."""
    lines = printed.split('\n')
    if lines.pop() != '':
        return 'the last line has no end'
    for number, want in enumerate(expected):
        if number >= len(lines):
            return f'nothing where this should be: {want}'
        pattern = '.+'.join(re.escape(part) for part in want.split('...'))
        if not re.fullmatch(pattern, lines[number]):
            return f'not "{want}" but "{lines[number]}"'
    if len(lines) > len(expected):
        return f'more than it should: {lines[len(expected)]}'
    return None


def run(program):
    """Status, output, errors. A program that waits for it is sent a SIGTERM."""
    with tempfile.TemporaryFile('w+') as errors, subprocess.Popen(
            [program], stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        printed = process.stdout.readline()
        if ANNOUNCES in printed:
            process.send_signal(signal.SIGTERM)
        printed += process.stdout.read()
        process.wait()
        watchdog.cancel()
        errors.seek(0)
        return process.returncode, printed, errors.read()


def complaints(source, program):
    """What is wrong with the example, a line each."""
    for name in re.findall(r'^#include\s+[<"]([^>"]+)', source, re.M):
        if not INCLUDES_ALLOWED.fullmatch(name):
            yield f'{name} is neither of wpool nor of libc'
    expected = expected_lines(source)
    if expected is None:
        yield 'its head does not end with what it prints'
        return
    status, printed, errors = run(program)
    if status != 0:
        yield f'exit status {status}'
    if errors:
        yield f'on standard error: {errors}'
    found = difference(expected, printed)
    if found:
        yield f'{found}\n--- it printed\n{printed}---'


def main():
    path, program = sys.argv[1:3]
    with open(path, encoding='utf-8') as f:
        found = list(complaints(f.read(), os.path.abspath(program)))
    for one in found:
        print(f'{path}: {one}')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
