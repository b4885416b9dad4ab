# SPDX-License-Identifier: MIT
"""Draws a chart as SVG for the HTML page.

Colours are classes (s0, s1, ...), so that the page's style sheet can give them other values in the
dark; a line is told from the next by its marker, too.
"""

from html import escape

from .axis import Axis

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 16, 52
LEGEND_ROW = 20
BAR_ROW = 26
CHARACTER = 7.3  # the width of one, nearly


def _text(x, y, text, anchor='middle', more=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _line(x1, y1, x2, y2, css):
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _marker(kind, x, y, css):
    r = 4.2
    if kind % 4 == 0:
        return f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
    corners = (
        ((-r, -r), (r, -r), (r, r), (-r, r)),
        ((0, -r * 1.3), (r * 1.2, r), (-r * 1.2, r)),
        ((0, -r * 1.4), (r * 1.4, 0), (0, r * 1.4), (-r * 1.4, 0)),
    )[kind % 4 - 1]
    points = ' '.join(f'{x + dx:.1f},{y + dy:.1f}' for dx, dy in corners)
    return f'<polygon class="{css}" points="{points}"/>'


def _legend_rows(names):
    """[(row, x, name)] that fit the width; the number of rows."""
    placed, row, x = [], 0, LEFT
    for name in names:
        width = 48 + len(name) * CHARACTER
        if x + width > WIDTH - RIGHT and x > LEFT:
            row, x = row + 1, LEFT
        placed.append((row, x, name))
        x += width
    return placed, row + 1


def _open(chart, height):
    label = escape(f'{chart.title}. {chart.about}', quote=True)
    return [f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">']


def colour_indices(series):
    """A dashed line has the colour of the line that it is the ideal of."""
    indices, names = [], []
    for one in series:
        base = one.name.removeprefix('ideal: ')
        if base not in names:
            names.append(base)
        indices.append(names.index(base) % 8)
    return indices


def asides(series):
    """Steps to the side for each line, so that their whiskers do not cover each other."""
    drawn = [s for s in series if not s.dashed]
    return [0 if s.dashed else drawn.index(s) - (len(drawn) - 1) / 2 for s in series]


def lines(chart):
    placed, rows = _legend_rows([s.name for s in chart.series])
    top = TOP + rows * LEGEND_ROW
    height = HEIGHT + (rows - 1) * LEGEND_ROW
    xs = [p[0] for s in chart.series for p in s.points]
    x_axis = Axis(xs, chart.x_log, chart.x_texts)
    y_axis = Axis(chart.values(), chart.y_log(), pad=0, tick=chart.tick)

    def px(value):
        return LEFT + x_axis.at(value) * (WIDTH - LEFT - RIGHT)

    def py(value):
        return height - BOTTOM - y_axis.at(value) * (height - BOTTOM - top)

    out = _open(chart, height)
    for value, text in y_axis.ticks:
        out.append(_line(LEFT, py(value), WIDTH - RIGHT, py(value), 'grid'))
        out.append(_text(LEFT - 8, py(value) + 4.5, text, 'end'))
    for value, text in x_axis.ticks:
        out.append(_line(px(value), height - BOTTOM, px(value), height - BOTTOM + 5, 'axis'))
        out.append(_text(px(value), height - BOTTOM + 20, text))
    out.append(_line(LEFT, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, 'axis'))
    out.append(_text((LEFT + WIDTH - RIGHT) / 2, height - 8, chart.x_label, more='class="label"'))
    middle = (top + height - BOTTOM) / 2
    out.append(_text(15, middle, chart.y_label + (', logarithmic' if chart.y_log() else ''),
                     more=f'class="label" transform="rotate(-90 15 {middle:.1f})"'))
    indices = colour_indices(chart.series)
    for series, colour, aside in zip(chart.series, indices, asides(chart.series)):
        out += _one_line(series, colour, lambda x, d=3 * aside: px(x) + d, py)
    for (row, x, name), series, colour in zip(placed, chart.series, indices):
        y = TOP + row * LEGEND_ROW
        dashed = ' dashed' if series.dashed else ''
        out.append(_line(x, y, x + 22, y, f'line s{colour}{dashed}'))
        if not series.dashed:
            out.append(_marker(colour, x + 11, y, f'dot s{colour}'))
        out.append(_text(x + 27, y + 4.5, name, 'start'))
    return '\n'.join(out + ['</svg>'])


def _one_line(series, colour, px, py):
    css = f's{colour}' + (' dashed' if series.dashed else '')
    path = ' '.join(f'{px(x):.1f},{py(s.median):.1f}' for x, s in series.points)
    out = [f'<polyline class="line {css}" points="{path}"/>']
    if series.dashed:
        return out
    for (x, s), note in zip(series.points, series.notes):
        if not note:
            continue
        left = colour == 0
        out.append(_text(px(x) + (-8 if left else 8), py(s.median) - 6, note,
                         'end' if left else 'start'))
    for x, s in series.points:
        if s.max > s.min:
            out.append(_line(px(x), py(s.min), px(x), py(s.max), f'whisker s{colour}'))
        tip = f'{series.name}, {x}: {s.median:.4g} ({s.min:.4g} .. {s.max:.4g})'
        dot = _marker(colour, px(x), py(s.median), f'dot {css}')
        out.append(f'<g><title>{escape(tip)}</title>{dot}</g>')
    return out


def bars(chart):
    left = min(330, 20 + CHARACTER * max(len(b.name) for b in chart.bars))
    right = 14 + CHARACTER * max(len(b.text) for b in chart.bars)
    top = TOP + (LEGEND_ROW if chart.limits else 0)
    height = top + BAR_ROW * len(chart.bars) + BOTTOM
    axis = Axis(chart.values(), chart.y_log(), pad=0, tick=chart.tick)

    def px(value):
        return left + axis.at(value) * (WIDTH - left - right)

    out = _open(chart, height)
    for value, text in axis.ticks:
        out.append(_line(px(value), top, px(value), height - BOTTOM, 'grid'))
        out.append(_text(px(value), height - BOTTOM + 18, text))
    for row, bar in enumerate(chart.bars):
        y = top + row * BAR_ROW + BAR_ROW / 2
        s = bar.spread
        css = 'own' if bar.own else 'other'
        tip = f'{bar.name}: {s.median:.4g} ({s.min:.4g} .. {s.max:.4g})'
        out.append(f'<g><title>{escape(tip)}</title><rect class="bar {css}" x="{left:.1f}" '
                   f'y="{y - 8:.1f}" width="{max(px(s.median) - left, 1):.1f}" height="16"/></g>')
        if s.max > s.min:
            out.append(_line(px(s.min), y, px(s.max), y, 'spread'))
            out += [_line(px(v), y - 4, px(v), y + 4, 'spread') for v in (s.min, s.max)]
        out.append(_text(left - 8, y + 4.5, bar.name, 'end', 'class="strong"' if bar.own else ''))
        out.append(_text(max(px(s.median), px(s.max)) + 7, y + 4.5, bar.text, 'start'))
    for name, value in chart.limits:
        out.append(_line(px(value), top - 6, px(value), height - BOTTOM, 'limit'))
        out.append(_text(px(value), top - 10, f'{name}: {value:.3g}'))
    out.append(_line(left, top, left, height - BOTTOM, 'axis'))
    label = chart.x_label + (', logarithmic' if chart.y_log() else '')
    out.append(_text((left + WIDTH - right) / 2, height - 8, label, more='class="label"'))
    return '\n'.join(out + ['</svg>'])


def draw(chart):
    return bars(chart) if chart.bars else lines(chart)
