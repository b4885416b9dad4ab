#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every test and file that docs/acceptance.md names is there, and no row of it goes without.

usage: acceptance.py TREE

In the document `unit/pool_test.c::job_current` is the test job_current of that file of tests/ (or,
in Python, a function of it), and `docs/examples/basic.c` or `tests/check/install.py` is a file. In
each table under a heading of level 2 other than "Open" the last column names one of these at
least, or says "open: " and what is missing, by words that the first column under "Open" has.
"""

import os
import re
import sys
import tempfile

DOCUMENT = 'docs/acceptance.md'
NAMED = re.compile(r'`([\w/.-]+)::(\w+)`')
FILE = re.compile(r'`((?:docs|tests|bench|src|include|tools)/[\w/.-]+)`')
TEST_IN_C = r'^(?:T_TEST|T_TEST_TIMEOUT|EXPLORE_TEST)\((?:\w+,\s*)?%s\b'
TEST_IN_PYTHON = r'^\s*def %s\('


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def missing(tree, path, name):
    """Why there is no such test, or None."""
    whole = os.path.join(tree, 'tests', path)
    if not os.path.isfile(whole):
        return f'there is no file tests/{path}'
    pattern = TEST_IN_PYTHON if path.endswith('.py') else TEST_IN_C
    if not re.search(pattern % name, read(whole), re.M):
        return f'tests/{path} has no test {name}'
    return None


def rows(text):
    """(line number, heading of level 2, cells) of each row of a table, without its head."""
    heading, before = '', ''
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('## '):
            heading = line[3:].strip()
        is_rule = re.fullmatch(r'\|[\s:|-]+\|', line)
        if line.startswith('|') and before.startswith('|') and not is_rule:
            yield number, heading, [cell.strip() for cell in line.strip('|').split('|')]
        before = line


def complaints(tree):
    """What is wrong with the document, a line each."""
    try:
        text = read(os.path.join(tree, DOCUMENT))
    except OSError as error:
        yield f'{DOCUMENT}: {error.strerror}'
        return
    named = 0
    for number, line in enumerate(text.split('\n'), 1):
        for path, name in NAMED.findall(line):
            named += 1
            why = missing(tree, path, name)
            if why:
                yield f'{DOCUMENT}:{number}: {why}'
        for path in FILE.findall(line):
            if not os.path.isfile(os.path.join(tree, path)):
                yield f'{DOCUMENT}:{number}: there is no file {path}'
    needed = {one for _, heading, cells in rows(text) if heading == 'Open'
              for one in cells[0].split(', ')}
    for number, heading, cells in rows(text):
        last = cells[-1]
        if heading in ('', 'Open') or NAMED.search(last) or FILE.search(last):
            continue
        if not last.startswith('open: '):
            yield f'{DOCUMENT}:{number}: "{cells[0]}" has no test and is not open'
        elif not set(last[len('open: '):].split(', ')) <= needed:
            yield f'{DOCUMENT}:{number}: "{last}" is not listed under Open'
    if not named:
        yield f'{DOCUMENT}: names no test'


# ---- what the check finds, shown on made-up trees ----

FILES = {
    'tests/unit/a_test.c': 'T_TEST(a, works)\n{\n}\nT_TEST_TIMEOUT(a, works_long, 300)\n{\n}\n'
                           '/* T_TEST(a, gone) */\nstatic void helper(void)\n{\n}\n',
    'tests/explore/b_test.c': 'EXPLORE_TEST(b_1p1c, .body = { f });\n',
    'tests/check/c.py': 'class T:\n    def test_it(self):\n        pass\n',
}
HEAD = '# A\n\n| word | meaning |\n|---|---|\n| x | y |\n\n' \
    '## Tests\n\n| theirs | ours |\n|---|---|\n'
GOOD = HEAD + '| one | `unit/a_test.c::works`, `unit/a_test.c::works_long` |\n' \
    '| two | shown by `explore/b_test.c::b_1p1c` |\n| three | `check/c.py::test_it` |\n' \
    '| four | `tests/check/c.py` |\n| five | open: groups |\n\n## Open\n\n| a | b |\n|---|---|\n' \
    '| groups, limits | d |\n'
# (what is tried, the document, a part of the complaint or None)
CASES = (
    ('all is there', GOOD, None),
    ('a file is not there', GOOD + '`unit/b_test.c::works`\n', 'no file tests/unit/b_test.c'),
    ('a test is not there', GOOD + '`unit/a_test.c::work`\n', 'has no test work'),
    ('a test was commented out', GOOD + '`unit/a_test.c::gone`\n', 'has no test gone'),
    ('a function is no test', GOOD + '`unit/a_test.c::helper`\n', 'has no test helper'),
    ('an explorer test is not there', GOOD + '`explore/b_test.c::b_2p`\n', 'has no test b_2p'),
    ('a method is not there', GOOD + '`check/c.py::test`\n', 'has no test test'),
    ('an example is not there', GOOD + '`docs/examples/x.c`\n', 'no file docs/examples/x.c'),
    ('a row without a test', HEAD + '| one | `unit/a_test.c::works` |\n| two | surely |\n',
     '"two" has no test'),
    ('open, but what', HEAD + '| one | `unit/a_test.c::works` |\n| two | open |\n',
     '"two" has no test'),
    ('open, and not listed', GOOD.replace('open: groups', 'open: groups, drains'),
     'is not listed'),
    ('a test in another column', HEAD + '| `unit/a_test.c::works` | yes |\n', 'has no test'),
    ('no test at all', HEAD + '| one | open: all |\n', 'names no test'),
    ('no document', None, 'No such file'),
)


def check_itself():
    """How many of the cases went wrong."""
    wrong = 0
    for what, document, wanted in CASES:
        with tempfile.TemporaryDirectory() as tree:
            files = dict(FILES) if document is None else {**FILES, DOCUMENT: document}
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), 'w', encoding='utf-8') as f:
                    f.write(text)
            found = list(complaints(tree))
        right = any(wanted in one for one in found) if wanted else not found
        if not right:
            wrong += 1
            print(f'FAILED: {what}', *found, sep='\n    ')
    return wrong


def main():
    wrong = check_itself()
    found = list(complaints(sys.argv[1]))
    for one in found:
        print(one)
    print(f'{wrong} of {len(CASES)} cases failed; {len(found)} complaints')
    return 1 if wrong or found else 0


if __name__ == '__main__':
    sys.exit(main())
