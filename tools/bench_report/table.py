# SPDX-License-Identifier: MIT
"""Results of tools/bench-peers as Markdown, and such tables kept in documents.

A document says where a table belongs and what it is made of by two comments:

    <!-- table of docs/results/2026-01-02-peers.json, 6 closest -->
    ... replaced by put() ...
    <!-- end of table -->

", 6 closest" leaves out all peers but the six that come closest to wpool in any column; without it
the table has all. tests/check/tables.py compares what the documents of the tree have with what
their files give.
"""

import os
import re
import textwrap

from . import load
from .peers import BULK, SINGLE, WAYS, Kind, median

BLOCK = re.compile(r'^<!-- table of (\S+?)(?:, (\d+) closest)? -->\n(.*?)^<!-- end of table -->$',
                   re.M | re.S)

# What to show where there is more: these shapes, if they were measured.
POOL_SHAPES = ((1, 1), (1, 16), (2, 2), (8, 16))
COLUMNS = 5

KINDS = (
    ('pool', 'pools: submit to finished, empty job', 'P', 'W'),
    ('queue', 'queues: push to popped, 32 bytes', 'P', 'C'),
    ('cpu', 'pools: jobs of 100,000 additions', 'P', 'W'),
    ('io', 'pools: jobs that sleep 1 ms', 'P', 'W'),
)
TASKS = ('cpu', 'io')


def figure(ns):
    if ns < 9.95:
        return f'{ns:.1f}'
    return f'{ns:.0f}' if ns < 9999.5 else f'{ns / 1000:.0f} k'


def times(ratio):
    return f'{ratio:.2f}' if ratio < 0.995 else f'{ratio:.1f}' if ratio < 9.95 else f'{ratio:.0f}'


def _cell(kind, name, base, shape, own):
    case = kind.at(name, shape)
    if case is None:
        return ''
    text = figure(median(case))
    ratio = kind.ratio(name, base, shape) if base and not own else None
    if ratio is None:
        return text
    shown = f'{text} ({times(ratio)} x)'
    return f'**{shown}**' if ratio < 1 else shown


def _shapes(kind):
    chosen = [shape for shape in POOL_SHAPES if shape in kind.shapes]
    return chosen if kind.kind == 'pool' and len(chosen) > 2 else kind.shapes[:COLUMNS]


def _closest(kind, names, base, shapes, most):
    """The names that come closest to `base` in any of the shapes."""
    def nearest(name):
        ratios = [kind.ratio(name, base, shape) for shape in shapes] if base else []
        return min((r for r in ratios if r is not None), default=float('inf'))
    return sorted(names, key=nearest)[:most]


def _fastest_first(kind, names, shapes):
    def first(name):
        return [median(case) if case else float('inf')
                for case in (kind.at(name, shape) for shape in shapes)]
    return sorted(names, key=first)


def _rows(kind, shapes, bulk, most):
    own, others = kind.own(bulk), kind.others(bulk)
    base = own[0] if own else None
    if most is not None:
        others = _closest(kind, others, base, shapes, most)
    for name in own:
        yield f'**{WAYS[kind.kind][name]}**', [_cell(kind, name, base, s, True) for s in shapes]
    for name in _fastest_first(kind, others, shapes):
        yield f'`{name}`', [_cell(kind, name, base, s, False) for s in shapes]


def _table(kind, title, first, second, most):
    shapes = _shapes(kind)
    yield f'| {title} | ' + ' | '.join(f'{p} {first} {w} {second}' for p, w in shapes) + ' |'
    yield '|---' * (len(shapes) + 1) + '|'
    for bulk in (SINGLE, BULK):
        for name, cells in _rows(kind, shapes, bulk, most):
            yield f'| {name} | ' + ' | '.join(cells) + ' |'


def _machine(results):
    _, machine, options, complete = results.cards[0]
    words = [str(machine[name]) for name in ('cpu', 'kernel', 'compiler') if machine.get(name)]
    # "Linux 6.1.0-13-amd64 x86_64" as "Linux 6.1".
    words = [re.sub(r'^(Linux \d+\.\d+)\S* \S+$', r'\1', word) for word in words]
    runs = options.get('runs', '?')
    if machine.get('cpus_usable'):
        words.insert(1, f'{machine["cpus_usable"]} CPUs')
    date = str(machine['date'])[:10] if machine.get('date') else 'at an unknown date'
    revision = machine.get('revision') or 'of an unknown revision'
    text = (', '.join(words) or 'A machine unknown') + f'; wpool {revision}, {date}. ' \
        f'Medians of {runs} round{"" if runs == 1 else "s"}, in which all take their turn.'
    others = machine.get('cpus_used_by_others_during')
    if machine.get('disturbed'):
        text += f' **Not quiet: other programs used {others or 0:.1f} CPUs meanwhile.**'
    if options.get('quick'):
        text += ' **A quick run: to see that it works, not to quote.**'
    if not complete:
        text += ' **Interrupted.**'
    return text


def _explanation(results, most):
    text = ('ns per job, P producers, W workers or C consumers; in brackets the median of the '
            'ratios, round by round, to the first row: of single submits for those that submit one '
            'by one, of batches for those that submit 64 by a call. Bold is who beats it.')
    for case in results.of('raw_limit')[:1]:
        if case.time:
            text += (f' Two CPUs that do nothing but hand over a buffer of such jobs need '
                     f'{case.time.median:.1f}')
            if case.time.max > case.time.min:
                text += f' ({case.time.min:.1f} to {case.time.max:.1f} from round to round)'
            text += '.'
    if most is not None:
        text += (f' Of the others only those {most} of each table and way to submit that come '
                 'closest to wpool in any column.')
    return text


def render(results, most=None):
    """The tables as Markdown; `most`: how many of the others, None for all and the tasks."""
    made = [(what, Kind(results, what[0])) for what in KINDS]
    made = [(what, kind) for what, kind in made
            if kind.shapes and (most is None or kind.kind not in TASKS)]
    if not made:
        raise load.BadInput('there are no results of tools/bench-peers in it')
    paragraphs = [_machine(results), _explanation(results, most)]
    out = ['\n'.join(textwrap.wrap(text, 105, break_long_words=False, break_on_hyphens=False))
           for text in paragraphs]
    for (_, title, first, second), kind in made:
        out.append('\n'.join(_table(kind, title, first, second, most)))
    if most is None and results.missing:
        out.append('\n'.join(f'- Not measured: {what}: {why}.' for what, why in results.missing))
    return '\n\n'.join(out) + '\n'


# ---- tables in documents ----

def put(text, path, tree, name=None):
    """The document's text with its tables made anew; raises BadInput where there are none.

    `path` is what the comments will say the tables are of; None: what they say.
    """
    loaded = {}

    def make(match):
        file = path or match.group(1)
        if file not in loaded:
            loaded[file] = load.load(os.path.join(tree, file))
        most = int(match.group(2)) if match.group(2) else None
        head = f'<!-- table of {file}' + (f', {most} closest' if most is not None else '') + ' -->'
        return f'{head}\n{render(loaded[file], most)}<!-- end of table -->'

    made, count = BLOCK.subn(make, text)
    if count == 0:
        raise load.BadInput(f'{name or "the document"} has no <!-- table of FILE --> ... '
                            '<!-- end of table -->')
    return made
