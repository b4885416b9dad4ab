# SPDX-License-Identifier: MIT
"""The HTML page: one file that needs nothing else, light or dark as the reader's system is."""

from html import escape

from . import claims, svg
from .axis import ns, short

STYLE = '''
:root { color-scheme: light dark; --back: #ffffff; --text: #1c2024; --soft: #5b646e;
  --grid: #e3e6ea; --card: #f5f6f8; --warn: #8a3b00; --warn-back: #fff3e6; --other: #9aa3ad;
  --limit: #b00020; --s0: #0b6bb5; --s1: #c2500a; --s2: #0d8a5f; --s3: #a83a86; --s4: #806400;
  --s5: #3aa0d8; --s6: #6a4fc4; --s7: #555555; }
@media (prefers-color-scheme: dark) { :root { --back: #15181c; --text: #e4e8ec; --soft: #a0a9b3;
  --grid: #30363d; --card: #1f2429; --warn: #ffc58f; --warn-back: #3a2814; --other: #68727d;
  --limit: #ff7a8a; --s0: #58b4ff; --s1: #ff9a52; --s2: #3ddba5; --s3: #f39bd3; --s4: #e2c650;
  --s5: #a5dcff; --s6: #b9a5ff; --s7: #c8c8c8; } }
body { background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
  max-width: 820px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.6em; margin: .4em 0; } h2 { font-size: 1.25em; margin: 2em 0 .3em; }
h3 { font-size: 1.05em; margin: 1.6em 0 .2em; } p { margin: .3em 0 .8em; }
p.about, .soft { color: var(--soft); font-size: .93em; }
.warn { color: var(--warn); background: var(--warn-back); padding: .5em .8em; border-radius: 6px; }
table { border-collapse: collapse; font-size: .88em; }
th, td { text-align: left; padding: .15em .9em .15em 0; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.line td { border-top: 1px solid var(--grid); }
.claims td:nth-child(2) { white-space: nowrap; font-weight: 600; }
.claims td:first-child { max-width: 21em; } .claims summary { margin: .2em 0; }
.good { color: var(--s2); } .bad { color: var(--limit); }
.card { background: var(--card); border-radius: 6px; padding: .6em .9em; margin: .8em 0; }
.wide { overflow-x: auto; } summary { cursor: pointer; margin: .8em 0; }
svg { width: 100%; min-width: 560px; height: auto; display: block; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg text.label { fill: var(--soft); } svg text.strong { font-weight: 700; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.spread { stroke: var(--text); stroke-width: 1.2; }
.limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 6 4; }
.bar.own { fill: var(--s0); } .bar.other { fill: var(--other); }
.line { fill: none; stroke-width: 2; } .whisker { stroke-width: 1.4; opacity: .75; }
.line.dashed { stroke-dasharray: 5 5; stroke-width: 1.5; }
''' + '\n'.join(f'.s{i} {{ stroke: var(--s{i}); }} .dot.s{i} {{ fill: var(--s{i}); stroke: none; }}'
                for i in range(8))

CARD = (('cpu', 'CPU'), ('cpus_usable', 'usable CPUs'), ('caches', 'caches'), ('kernel', 'kernel'),
        ('governor', 'governor'), ('clocksource', 'clock'), ('compiler', 'compiler'),
        ('flags', 'flags'), ('wpool_version', 'wpool'), ('revision', 'revision'), ('date', 'date'),
        ('pinned', 'threads pinned'), ('cpus_used_by_others_during', 'CPUs used by others'),
        ('cpus_stolen_by_host_during', 'CPUs taken by the host'))


def warnings(results):
    out = []
    for name, machine, options, complete in results.cards:
        if not complete:
            out.append(f'{name}: the measurement was interrupted; what is shown was measured '
                       'before.')
        if machine.get('disturbed') is True:
            out.append(f'{name}: other processes were busy during the measurement: figures to find '
                       'defects by, not to quote.')
        if options.get('quick') is True:
            out.append(f'{name}: a quick run with few jobs: to see that it works, not to quote.')
        if options.get('runs') == 1:
            out.append(f'{name}: one run only: nothing can be said about the noise.')
    for field, what in (('cpu', 'machines'), ('revision', 'revisions')):
        seen = {str(machine[field]) for _, machine, _, _ in results.cards if machine.get(field)}
        if len(seen) > 1:
            out.append(f'These figures come from different {what} ({", ".join(sorted(seen))}); do '
                       'not compare them.')
    return out


def _distinct(results, field):
    """What the files say of it, each once; a chart may have figures of any of them."""
    return ', '.join(dict.fromkeys(str(machine[field]) for _, machine, _, _ in results.cards
                                   if machine.get(field)))


def footer(results):
    """One line for a picture that stands alone."""
    cpus, revisions = _distinct(results, 'cpus_usable'), _distinct(results, 'revision')
    words = [_distinct(results, 'cpu') or 'machine unknown', f'{cpus} CPUs' if cpus else '',
             _distinct(results, 'compiler'), f'wpool {revisions}' if revisions else '',
             _distinct(results, 'date')]
    if any(m.get('disturbed') is True for _, m, _, _ in results.cards):
        words.append('DISTURBED')
    return ' · '.join(w for w in words if w)


def _card(name, machine, options):
    rows = [('file', name)] + [(title, machine[field]) for field, title in CARD
                               if machine.get(field) not in (None, '', -1)]
    if options.get('runs'):
        rows.append(('runs', options['runs']))
    cells = ''.join(f'<tr><td class="soft">{escape(title)}</td>'
                    f'<td>{escape(_plain(value))}</td></tr>' for title, value in rows)
    return f'<div class="card wide"><table>{cells}</table></div>'


def _plain(value):
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{value:.2f}' if isinstance(value, float) else str(value)


def _figure(chart):
    return (f'<h3 id="{escape(chart.name)}">{escape(chart.title)}</h3>\n'
            f'<p class="about">{escape(chart.about)}</p>\n'
            f'<div class="wide">{svg.draw(chart)}</div>\n')


def _value(unit, value):
    if unit == 'ns':
        return ns(value)
    return short(value) + (f' {unit}' if unit else '')


def _table(results):
    """Every figure, for who wants to read it."""
    out = ['<table><tr><th>case</th><th>what</th><th class="n">min</th><th class="n">median</th>'
           '<th class="n">max</th><th class="n">runs</th></tr>']
    for case in results.cases:
        rows = []
        if case.time:
            rows.append(('time per job', 'ns', case.time))
        if case.cpu:
            rows.append(('CPU time per job', 'ns', case.cpu))
        rows += [(name, unit, spread) for name, (unit, spread) in case.values.items()]
        for number, (name, unit, s) in enumerate(rows):
            first = escape(case.label()) if number == 0 else ''
            cells = ''.join(f'<td class="n">{escape(_value(unit, v))}</td>'
                            for v in (s.min, s.median, s.max))
            out.append(f'<tr{" class=line" if number == 0 else ""}><td>{first}</td>'
                       f'<td>{escape(name)}</td>{cells}'
                       f'<td class="n">{case.runs if number == 0 else ""}</td></tr>')
    return '\n'.join(out + ['</table>'])


def _claims(results):
    """What was claimed; nothing where the files say nothing about any of it."""
    made = claims.judge(results)
    if all(claim.state == claims.UNKNOWN for claim in made):
        return []
    out = ['<h2>What was to come out</h2><table class="claims">',
           '<tr><th>claim</th><th></th><th>figure</th></tr>']
    for claim in made:
        css = {claims.REACHED: 'good', claims.FAILED: 'bad'}.get(claim.state, 'soft')
        details = ''.join(f'<br>{escape(line)}' for line in claim.details)
        if details:
            details = f'<details><summary>each</summary>{details[4:]}</details>'
        out.append(f'<tr class="line"><td>{escape(claim.text)}</td><td class="{css}">{claim.state}'
                   f'</td><td>{escape(claim.figure)}{details}</td></tr>')
    return out + ['</table>']


def render(results, sections):
    out = ['<!DOCTYPE html>', '<html lang="en"><head><meta charset="utf-8">',
           '<meta name="viewport" content="width=device-width, initial-scale=1">',
           '<title>wpool: measurements</title>', f'<style>{STYLE}</style></head><body>',
           '<h1>wpool: measurements</h1>',
           '<p>Each point is the median of several runs; the whisker goes from the fastest to the '
           'slowest of them. Cases are run in turns, so that a machine that gets slower for a '
           'while hits all alike.</p>']
    out += [f'<p class="warn">{escape(text)}</p>' for text in warnings(results)]
    out += [_card(name, machine, options) for name, machine, options, _ in results.cards]
    out += _claims(results)
    missing = []
    for title, charts, source in sections:
        if not charts:
            missing.append(f'{title} (from {source})')
            continue
        out.append(f'<h2>{escape(title)}</h2>')
        out += [_figure(chart) for chart in charts if not chart.minor]
        minor = [chart for chart in charts if chart.minor]
        if minor:
            out.append(f'<details><summary>{len(minor)} more</summary>')
            out += [_figure(chart) for chart in minor] + ['</details>']
    if results.notes:
        out.append('<h2>Notes</h2><ul>')
        out += [f'<li>{escape(note)}</li>' for note in results.notes] + ['</ul>']
    if results.missing:
        out.append('<h2>Could not be measured</h2><ul>')
        out += [f'<li>{escape(what)}: {escape(why)}</li>' for what, why in results.missing]
        out.append('</ul>')
    if missing:
        out.append('<h2>Not in these files</h2><ul>')
        out += [f'<li>{escape(text)}</li>' for text in missing] + ['</ul>']
    out.append('<h2>All figures</h2><details><summary>Table</summary><div class="wide">')
    out += [_table(results), '</div></details>', '</body></html>', '']
    return '\n'.join(out)
