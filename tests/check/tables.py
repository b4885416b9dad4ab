#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables of measurements in README.md and docs/ are those of the checked-in results they name.

usage: tables.py TREE

A table stands between "<!-- table of FILE -->" and "<!-- end of table -->" (tools/report --put);
FILE is a result of tools/bench-peers in docs/results. The README has one.
"""

import glob
import os
import re
import sys

sys.dont_write_bytecode = True
TREE = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(TREE, 'tools'))
from bench_report import load, table  # noqa: E402

# Both ends, also where something between them keeps BLOCK from seeing a table.
MARK = re.compile(r'<!-- (?:table of|end of table)')
RESULT = re.compile(r'docs/results/\d{4}-\d\d-\d\d-peers\.json')

breaches = []


def breach(name, what):
    breaches.append(what)
    print(f'{name}: {what}')


def check(name, text):
    """How many tables the text has."""
    tables = table.BLOCK.findall(text)
    if len(MARK.findall(text)) != 2 * len(tables):
        breach(name, 'a table without its beginning or end')
        return 0
    if not tables:
        return 0
    try:
        fresh = table.put(text, None, TREE, name)
    except load.BadInput as error:
        breach(name, str(error))
        return 0
    for (file, _, _), old, new in zip(tables, table.BLOCK.finditer(text),
                                      table.BLOCK.finditer(fresh)):
        if not RESULT.fullmatch(file):
            breach(name, f'{file} is not docs/results/YYYY-MM-DD-peers.json')
        _, _, options, complete = load.load(os.path.join(TREE, file)).cards[0]
        if not complete or (options.get('runs') or 0) < 3:
            breach(name, f'{file}: an interrupted run, or fewer than 3 rounds')
        lines = zip(old.group().splitlines() + [''], new.group().splitlines() + [''])
        wrong = next((pair for pair in lines if pair[0] != pair[1]), None)
        if wrong:
            breach(name, f'not what {file} gives: {wrong[0][:70]!r} instead of {wrong[1][:70]!r}; '
                   f'tools/report --put {file} {name}')
    return len(tables)


def check_itself(text):
    """A changed figure, row or end is found: otherwise the rest says nothing."""
    found = table.BLOCK.search(text)
    inner = found.group(3)
    row = next(line for line in inner.splitlines() if line.startswith('| `'))
    changed = {
        'figure': text.replace(row, re.sub(r'\d', lambda m: str((int(m[0]) + 1) % 10), row, 1)),
        'row': text.replace(row + '\n', ''),
        'end': text.replace('<!-- end of table -->', ''),
        'file': text.replace(found.group(1), 'docs/results/none.json'),
    }
    for what, other in changed.items():
        before = len(breaches)
        check(f'(made wrong: {what})', other)
        if len(breaches) == before:
            sys.exit(f'tables.py itself: a changed {what} is not found')
        del breaches[before:]


def main():
    count = 0
    for path in [os.path.join(TREE, 'README.md'), *sorted(glob.glob(f'{TREE}/docs/**/*.md',
                                                                    recursive=True))]:
        name = os.path.relpath(path, TREE)
        with open(path, encoding='utf-8') as file:
            text = file.read()
        here = check(name, text)
        count += here
        if name == 'README.md':
            if here == 0:
                breach(name, 'no table of a result')
            else:
                check_itself(text)
    print(f'{count} tables, {len(breaches)} breaches')
    return 1 if breaches else 0


if __name__ == '__main__':
    sys.exit(main())
