# SPDX-License-Identifier: MIT
"""The parts of tools/report.

    load      reads result files and refuses what is none
    peers     arranges what tools/bench-peers measured
    table     the same as tables in Markdown, and where they stand in documents
    claims    what wpool wants to be, and whether the results bear it out
    charts    chooses what to draw: from results to charts, which know nothing of pixels
    axis      scales, ticks and how numbers are written; shared by the two that draw
    svg       draws a chart as SVG
    png       draws the same chart as PNG, with matplotlib; run as a program of its own, so that
              it may be another Python that has matplotlib
    page      the HTML page
    compare   old against new
"""
