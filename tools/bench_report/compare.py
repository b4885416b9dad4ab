# SPDX-License-Identifier: MIT
"""Old against new.

How noise is judged. The runs of a case span a range, from its fastest to its slowest run. A case is
marked slower only when both hold:

  - the ranges do not overlap: even the fastest new run was slower than the slowest old one. If
    nothing had changed, that would happen by chance once in 252 cases with 5 runs on each side
    (all 10 runs in order), once in 20 with 3;
  - the medians differ by more than the threshold, 5 %: differences that are real may still be too
    small to matter, and drift between two measurements is of that size.

With one run on a side there is no range; such a case is never marked, only a difference of more
than the threshold is pointed out with "?". Values that are better when they are smaller (times,
memory, heap calls) are judged the same way, "of ideal" the other way round.
"""

from .axis import ns, short

THRESHOLD = 0.05

# By unit, whether smaller is better; others are not judged.
SMALLER_IS_BETTER = {'ns': True, 'ns/s': True, 'MiB': True, '%': False}
BY_NAME = {'heap calls': True, 'context switches': True, 'all calls': True}


class Row:
    def __init__(self, label, what, old, new, smaller, runs, unit):
        self.label, self.what, self.old, self.new, self.unit = label, what, old, new, unit
        self.ratio = new.median / old.median if old.median > 0 else None
        self.mark = self._judge(smaller, runs)

    def _judge(self, smaller, runs):
        low, high = (self.old, self.new) if smaller else (self.new, self.old)
        worse = _beyond(low, high)
        better = _beyond(high, low)
        if min(runs) < 2:
            return '?' if _differ(self.old, self.new) else ''
        return 'SLOWER' if worse and smaller and self.unit.startswith('ns') else \
            'WORSE' if worse else 'better' if better else ''

    def is_worse(self):
        return self.mark in ('SLOWER', 'WORSE')


def _differ(a, b):
    return max(a.median, b.median) > min(a.median, b.median) * (1 + THRESHOLD)


def _beyond(low, high):
    """Whether `high` is larger than `low` by more than the noise."""
    return high.min > low.max and high.median > low.median * (1 + THRESHOLD)


def rows(old, new):
    """The rows of all cases that both have, and the labels of cases that only one has."""
    olds = {case.key(): case for case in old.cases}
    news = {case.key(): case for case in new.cases}
    out = []
    for key, b in news.items():
        a = olds.get(key)
        if a is None:
            continue
        runs = (a.runs, b.runs)
        if a.time and b.time:
            out.append(Row(b.label(), 'time per job', a.time, b.time, True, runs, 'ns'))
        for name, (unit, spread) in b.values.items():
            smaller = BY_NAME.get(name, SMALLER_IS_BETTER.get(unit))
            if smaller is not None and name in a.values:
                out.append(Row(b.label(), name, a.values[name][1], spread, smaller, runs, unit))
    gone = [case.label() for key, case in olds.items() if key not in news]
    added = [case.label() for key, case in news.items() if key not in olds]
    return out, gone, added


def _figure(unit, value):
    return ns(value) if unit.startswith('ns') else f'{short(value)}{" " + unit if unit else ""}'


def _range(unit, spread):
    return (f'{_figure(unit, spread.median)} ({_figure(unit, spread.min)} .. '
            f'{_figure(unit, spread.max)})')


def _cards(out, old, new):
    for name, results in (('old', old), ('new', new)):
        for file, machine, options, complete in results.cards:
            words = [file, f'revision {machine.get("revision", "unknown")}',
                     str(machine.get('date', 'date unknown'))]
            words += ['DISTURBED by other processes'] * (machine.get('disturbed') is True)
            words += ['INTERRUPTED'] * (not complete)
            words += ['a quick run'] * (options.get('quick') is True)
            out.append(f'{name}: ' + ', '.join(words))
    for field in ('cpu', 'compiler', 'flags'):
        seen = [{str(m.get(field)) for _, m, _, _ in r.cards if m.get(field)} for r in (old, new)]
        if seen[0] and seen[1] and seen[0] != seen[1]:
            out.append(f'NOT THE SAME {field}: {", ".join(sorted(seen[0]))} against '
                       f'{", ".join(sorted(seen[1]))}')


def render(old, new, everything):
    """The text, and whether anything got worse by more than the noise."""
    table, gone, added = rows(old, new)
    out = []
    _cards(out, old, new)
    shown = [row for row in table if everything or row.mark]
    out.append('')
    last = None
    for row in shown:
        if row.label != last:
            out.append(row.label)
            last = row.label
        ratio = f'x {row.ratio:.2f}' if row.ratio is not None else ''
        out.append(f'  {row.mark:7}{row.what:18} {ratio:8} {_range(row.unit, row.old)} -> '
                   f'{_range(row.unit, row.new)}')
    if any(row.mark and row.label == 'raw_limit' for row in table):
        out.append('THE RAW LIMIT DIFFERS: the machine itself was faster or slower; do not trust '
                   'the rest')
    worse = [row for row in table if row.is_worse()]
    better = sum(row.mark == 'better' for row in table)
    unsure = sum(row.mark == '?' for row in table)
    if shown:
        out.append('')
    if gone:
        out.append(f'only in old: {", ".join(gone)}')
    if added:
        out.append(f'only in new: {", ".join(added)}')
    line = (f'{len(table)} figures compared: {len(worse)} worse by more than the noise, '
            f'{better} better')
    if unsure:
        line += f', {unsure} differ but cannot be judged (one run)'
    out += [line, f'(noise: the ranges of all runs must not overlap and the medians differ by more '
            f'than {THRESHOLD:.0%})', '']
    return '\n'.join(out), bool(worse), len(table)
