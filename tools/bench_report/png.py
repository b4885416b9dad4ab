# SPDX-License-Identifier: MIT
"""Draws charts as PNG files with matplotlib.

usage: python3 -m bench_report.png DIRECTORY < charts

A program of its own, because matplotlib may belong to another Python than the one that runs
tools/report. The charts come as a pickle on stdin, made by tools/report itself. Prints the names of
the files. Exit status 3: this Python has no matplotlib.
"""

import os
import pickle
import sys

from .axis import Axis
from .svg import asides, colour_indices

COLOURS = ('#0b6bb5', '#c2500a', '#0d8a5f', '#a83a86', '#806400', '#3aa0d8', '#6a4fc4', '#555555')
MARKERS = 'os^D'
OWN, OTHER = COLOURS[0], '#9aa3ad'
NO_MATPLOTLIB = 3


def _scale(axis_of_plot, axis, log):
    if log:
        axis_of_plot.set_major_formatter('{x:g}')
    axis_of_plot.set_ticks([t for t, _ in axis.ticks], [text for _, text in axis.ticks])
    axis_of_plot.set_tick_params(which='minor', length=0, labelbottom=False, labelleft=False)


def _lines(chart, plot):
    xs = [p[0] for s in chart.series for p in s.points]
    x_axis = Axis(xs, chart.x_log, chart.x_texts)
    y_axis = Axis(chart.values(), chart.y_log(), tick=chart.tick)
    from matplotlib.transforms import ScaledTranslation
    indices = colour_indices(chart.series)
    for series, colour, aside in zip(chart.series, indices, asides(chart.series)):
        x = [p[0] for p in series.points]
        y = [p[1].median for p in series.points]
        if series.dashed:
            plot.plot(x, y, '--', color=COLOURS[colour], label=series.name, linewidth=1.3)
            continue
        errors = [[max(p[1].median - p[1].min, 0) for p in series.points],
                  [max(p[1].max - p[1].median, 0) for p in series.points]]
        plot.errorbar(x, y, yerr=errors, color=COLOURS[colour], marker=MARKERS[colour % 4],
                      markersize=5, capsize=2, elinewidth=1, linewidth=1.6, label=series.name,
                      transform=plot.transData + ScaledTranslation(
                          2.2 * aside / 72, 0, plot.figure.dpi_scale_trans))
        for (at, spread), note in zip(series.points, series.notes):
            left = colour == 0
            plot.annotate(note, (at, spread.median), xytext=(-8 if left else 8, 5),
                          textcoords='offset points', fontsize=8, color=COLOURS[colour],
                          ha='right' if left else 'left')
    if chart.x_log:
        plot.set_xscale('log')
    if chart.y_log():
        plot.set_yscale('log')
    plot.set_ylim(y_axis.low, y_axis.high)
    _scale(plot.xaxis, x_axis, chart.x_log)
    _scale(plot.yaxis, y_axis, chart.y_log())
    plot.set_xlabel(chart.x_label)
    plot.set_ylabel(chart.y_label + (', logarithmic' if chart.y_log() else ''))
    plot.grid(axis='y', color='#dddddd', linewidth=0.7)
    # Above the plot, where no line can be under it.
    columns = 2 if max(len(s.name) for s in chart.series) > 24 else 4
    plot.legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=columns, frameon=False,
                borderaxespad=0.3)
    return 18 * -(-len(chart.series) // columns) + 12


def _bars(chart, plot):
    axis = Axis(chart.values(), chart.y_log(), tick=chart.tick)
    rows = range(len(chart.bars))
    medians = [b.spread.median for b in chart.bars]
    errors = [[max(b.spread.median - b.spread.min, 0) for b in chart.bars],
              [max(b.spread.max - b.spread.median, 0) for b in chart.bars]]
    plot.barh(rows, medians, color=[OWN if b.own else OTHER for b in chart.bars], height=0.65,
              xerr=errors, error_kw={'elinewidth': 1.1, 'capsize': 3, 'ecolor': '#222222'})
    if chart.y_log():
        plot.set_xscale('log')
    plot.set_xlim(axis.low, axis.high)
    _scale(plot.xaxis, axis, chart.y_log())
    plot.set_yticks(rows, [b.name for b in chart.bars])
    for label, bar in zip(plot.get_yticklabels(), chart.bars):
        label.set_fontweight('bold' if bar.own else 'normal')
    plot.set_ylim(len(chart.bars) - 0.4, -0.6)
    for row, bar in zip(rows, chart.bars):
        plot.annotate(bar.text, (max(bar.spread.max, bar.spread.median), row), xytext=(6, 0),
                      textcoords='offset points', va='center', annotation_clip=False)
    for name, value in chart.limits:
        plot.axvline(value, color='#b00020', linestyle='--', linewidth=1.3)
        plot.annotate(f'{name}: {value:.3g}', (value, -0.5), xytext=(0, 4),
                      textcoords='offset points', ha='center', va='bottom', color='#b00020',
                      annotation_clip=False)
    plot.set_xlabel(chart.x_label + (', logarithmic' if chart.y_log() else ''))
    plot.grid(axis='x', color='#dddddd', linewidth=0.7)
    return 24 if chart.limits else 10


def draw(chart, footer, directory, pyplot):
    height = 4.6 if chart.series else 1.7 + 0.27 * len(chart.bars)
    figure, plot = pyplot.subplots(figsize=(8.2, height))
    plot.set_axisbelow(True)
    pad = (_bars if chart.bars else _lines)(chart, plot)
    plot.set_title(chart.title, fontweight='bold', loc='left', pad=pad)
    for side in ('top', 'right'):
        plot.spines[side].set_visible(False)
    # A little of the machine and the date belongs into a picture that is sent on alone.
    plot.annotate(footer, (0, 0), xycoords='axes fraction', xytext=(0, -42),
                  textcoords='offset points', fontsize=7, color='#666666', va='top',
                  annotation_clip=False)
    path = os.path.join(directory, chart.name + '.png')
    figure.savefig(path, dpi=130, bbox_inches='tight', facecolor='white',
                   metadata={'Software': None})
    pyplot.close(figure)
    return path


def main():
    try:
        import matplotlib
    except ImportError:
        return NO_MATPLOTLIB
    matplotlib.use('Agg')
    from matplotlib import pyplot
    pyplot.rcParams.update({'font.size': 9.5, 'font.family': 'DejaVu Sans'})
    charts, footer = pickle.load(sys.stdin.buffer)
    for chart in charts:
        print(draw(chart, footer, sys.argv[1], pyplot))
    return 0


if __name__ == '__main__':
    sys.exit(main())
