# SPDX-License-Identifier: MIT
"""The report for people, at most 100 columns wide."""

import textwrap

from driver import measure

NAME = 25
CELL = 15  # five of them fit
TASKS = {'cpu': '100,000 additions', 'io': '1 ms sleep'}


def line(name, cells):
    return f'{name:<{NAME}}' + ''.join(f'{cell:>{CELL}}' for cell in cells)


def figure(ns):
    return f'{ns:.1f}' if ns < 1000 else f'{ns:.0f}'


def plural(number, word):
    return f'{number} {word}' + 's' * (number > 1)


def factor(ratio):
    return f'{ratio:.2f}' if ratio < 100 else f'{ratio:.0f}'


def cell(cases, base):
    """Median of the better loop, and how many times wpool's that is."""
    case = measure.best(cases)
    if case is None:
        return 'failed' if any(c.failure for c in cases) else '-'
    mark = '*' if case.loop == 'plain' and len(case.peer.loops) > 1 else ''
    ratio = measure.ratio(case, base) if base else None
    times = f'{factor(ratio["median"])}x' if ratio else ''
    return f'{figure(measure.median_of(case))}{mark} {times:>6}'


def block(cases, columns, base):
    """Rows of peers, columns of shapes; in each row the peer's cases by shape."""
    rows = {}
    for case in cases:
        rows.setdefault(case.peer.name, {}).setdefault(case.shape, []).append(case)
    out = []
    for name, shapes in rows.items():
        any_workers = [shape for shape in shapes if shape[2] is None]
        bulk = next(iter(shapes.values()))[0].peer.bulk
        cells = [cell(shapes.get(shape, []), base.get((shape, bulk))) for shape in columns]
        if any_workers:
            shape = any_workers[0]
            cells = [cell(shapes[shape], base.get((shape, bulk))), '(no workers)']
        out.append(line(name, cells))
    return out


def queue_table(cases, base):
    columns = list(dict.fromkeys(c.shape for c in cases))
    heads = [f'{p}P {w}C' for _, p, w in columns]
    for bulk in (False, True):
        chosen = [c for c in cases if c.peer.bulk == bulk]
        if chosen:
            how = '64 jobs per push' if bulk else 'single pushes'
            yield line(f'queues, {how}', heads)
            yield from block(chosen, columns, base)
            yield ''


def pool_table(cases, base):
    for producers in dict.fromkeys(c.producers for c in cases):
        here = [c for c in cases if c.producers == producers]
        columns = list(dict.fromkeys(c.shape for c in here if c.workers is not None))
        heads = [plural(w, 'worker') for _, _, w in columns]
        for bulk in (False, True):
            chosen = [c for c in here if c.peer.bulk == bulk]
            if chosen:
                how = '64 per submit' if bulk else 'single'
                yield line(f'{plural(producers, "producer")}, {how}', heads)
                yield from block(chosen, columns, base)
                yield ''


def task_tables(cases, base):
    for kind, what in TASKS.items():
        here = [c for c in cases if c.peer.kind == kind]
        columns = list(dict.fromkeys(c.shape for c in here if c.workers is not None))
        if here:
            yield line(what, [plural(w, 'worker') for _, _, w in columns])
            yield from block(here, columns, base)
            yield ''


def closest(cases, kind, bulk, own):
    """(ratio, case) of the peer that comes closest to wpool over all shapes, or None.

    `bulk` says which of the peers; `own` is wpool's case for each shape.
    """
    nearest = None
    groups = {}
    for case in cases:
        if case.peer.kind == kind and case.peer.bulk == bulk and case.runs \
                and case.peer.program.name != 'wpool':
            groups.setdefault((case.peer.name, case.shape), []).append(case)
    for (_, shape), group in groups.items():
        case = measure.best(group)
        ratio = measure.ratio(case, own[shape]) if shape in own else None
        if ratio and (nearest is None or ratio['median'] < nearest[0]):
            nearest = (ratio['median'], case)
    return nearest


def notes(cases):
    """What the figures come down to, as seg_bench's notes: who comes closest to wpool.

    Each way of wpool is compared with the peers of its own grade, and all but the plain one also
    with the peers' single pushes and submits, which is what most programs do.
    """
    made = []
    ways = {case.peer.name: case.peer for case in cases
            if case.peer.program.name == 'wpool' and case.peer.kind not in TASKS}
    for name, peer in ways.items():
        grades = {peer.bulk, False} if name not in measure.BASELINES.values() or peer.bulk \
            else {False}
        for bulk in sorted(grades):
            nearest = closest(cases, peer.kind, bulk, measure.own(cases, name))
            if nearest:
                value, case = nearest
                grade = 'bulk' if bulk else 'single'
                made.append({
                    'name': f'{name}_to_{grade}', 'value': value,
                    'text': f'{name}: of all {peer.kind}s, {grade}, the closest is {case}: '
                            f'{value:.2f} x'})
    return made


def wrapped(text):
    return textwrap.wrap(text, 98, subsequent_indent='    ', break_long_words=False,
                         break_on_hyphens=False)


def report(cases, raw, missing):
    """The whole table, line by line."""
    base = measure.baselines(cases)
    yield 'ns per job, median of the rounds, and the median of the ratios to wpool in each round.'
    yield 'Queues: the better of two loops of the consumers; *: the one that looks at once.'
    if raw.runs:
        limit = measure.spread([run['ns_per_job'] for run in raw.runs.values()])
        yield f'Raw limit: {limit["median"]:.2f} ns per job.'
    yield ''
    yield from queue_table([c for c in cases if c.peer.kind == 'queue'], base)
    yield from pool_table([c for c in cases if c.peer.kind == 'pool'], base)
    yield from task_tables(cases, base)
    for note in notes(cases):
        yield note['text']
    for program, why in missing:
        yield from wrapped(f'not measured: {program.name} ({", ".join(program.peers)}): {why}')
    for case in cases:
        if case.failure:
            yield from wrapped(f'failed: {case}: {case.failure}')
