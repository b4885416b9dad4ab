#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that example.py finds what it is there to find, and that all examples are built and listed.

usage: example_test.py TREE
"""

import os
import re
import sys
import tempfile

import example

HEAD = '''/* SPDX-License-Identifier: MIT */
/*
 * Made up. It prints:
 *
 *     one
 *     two ... (...)
 */
#include <stdio.h>
#include <wpool/wpool.h>
'''
GOOD = 'echo one\necho "two 7 (8)"\n'
# (what is tried, source, script, a part of the complaint or None)
CASES = (
    ('as it says', HEAD, GOOD, None),
    ('a line is missing', HEAD, 'echo one\n', 'nothing where this should be: two'),
    ('a line too many', HEAD, GOOD + 'echo three\n', 'more than it should: three'),
    ('another line', HEAD, GOOD.replace('one', 'ONE'), 'not "one" but "ONE"'),
    ('nothing for the dots', HEAD, GOOD.replace('8', ''), 'not "two ... (...)"'),
    ('more than the dots', HEAD, GOOD.replace('(8)', '(8) 9'), 'not "two ... (...)"'),
    ('the last line has no end', HEAD, GOOD + 'printf x\n', 'has no end'),
    ('another status', HEAD, GOOD + 'exit 3\n', 'exit status 3'),
    ('it dies', HEAD, GOOD + 'kill -SEGV $$\n', 'exit status -11'),
    ('a complaint', HEAD, GOOD + 'echo no >&2\n', 'on standard error: no'),
    ('no head', '#include <stdio.h>\n', GOOD, 'does not end with what it prints'),
    ('a private header', HEAD + '#include "base/os.h"\n', GOOD, 'base/os.h is neither'),
    ('another library', HEAD + '#include <zlib.h>\n', GOOD, 'zlib.h is neither'),
    ('a signal is sent', HEAD.replace('one', 'send SIGTERM'),
     'trap "echo two 1 \\(2\\); exit" TERM\necho send SIGTERM\nwhile :; do sleep 0.01; done\n',
     None),
    ('a signal kills', HEAD.replace('one', 'send SIGTERM'),
     'echo send SIGTERM\nwhile :; do sleep 0.01; done\n', 'exit status -15'),
)
failures = []


def expect(what, ok, *shown):
    if not ok:
        failures.append(what)
        print(f'FAILED: {what}', *shown, sep='\n    ')


def check_cases(folder):
    for what, source, script, wanted in CASES:
        program = os.path.join(folder, what.replace(' ', '_'))
        with open(program, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\n' + script)
        os.chmod(program, 0o755)
        found = list(example.complaints(source, program))
        if wanted is None:
            expect(what, not found, *found)
        else:
            expect(what, any(wanted in one for one in found), *found)


def check_lists(tree):
    """Each example is in the build and in the table of its folder, and the README leads there."""
    folder = os.path.join(tree, 'docs', 'examples')
    texts = {}
    for name in ('meson.build', 'README.md', os.path.join('..', '..', 'README.md')):
        with open(os.path.join(folder, name), encoding='utf-8') as f:
            texts[name] = f.read()
    sources = sorted(n[:-len('.c')] for n in os.listdir(folder) if n.endswith('.c'))
    expect('there are examples', sources)
    expect('all are built', re.findall(r"^    '(\w+)',$", texts['meson.build'], re.M) == sources)
    listed = sorted(re.findall(r'^\| \[(\w+)\.c\]\(\1\.c\) \| .', texts['README.md'], re.M))
    expect('all are listed', listed == sources, listed, sources)
    expect('the README leads there', 'docs/examples' in texts['../../README.md'])


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_cases(folder)
    check_lists(sys.argv[1])
    print(f'{len(failures)} of {len(CASES) + 4} failed')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
