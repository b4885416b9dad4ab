# SPDX-License-Identifier: MIT
"""Scales, ticks, and how numbers are written."""

import math


def short(value):
    """1234567 as "1.23 M": three digits that matter."""
    if value == 0:
        return '0'
    for limit, divisor, suffix in ((999.5e6, 1e9, ' G'), (999.5e3, 1e6, ' M'), (9999.5, 1e3, ' k')):
        if abs(value) >= limit:
            return short_plain(value / divisor) + suffix
    return short_plain(value)


def short_plain(value):
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f'{value:.{digits}f}'
    return text.rstrip('0').rstrip('.') if '.' in text else text


def ns(value):
    """A duration with its unit."""
    if value == 0:
        return '0'
    for limit, divisor, unit in ((999.5e6, 1e9, 's'), (999.5e3, 1e6, 'ms'), (999.5, 1e3, 'µs')):
        if value >= limit:
            return f'{short_plain(value / divisor)} {unit}'
    return f'{short_plain(value)} ns'


def _linear_ticks(low, high):
    step = 10 ** math.floor(math.log10((high - low) / 4))
    for factor in (1, 2, 2.5, 5, 10):
        if (high - low) / (step * factor) <= 6:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, int(math.floor(high / step + 1e-9)) + 1)]


def _log_ticks(low, high):
    decades = math.log10(high / low)
    factors = (1, 2, 5) if decades <= 2.5 else (1,)
    ticks = []
    for exponent in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1):
        ticks += [factor * 10.0 ** exponent for factor in factors]
    ticks = [t for t in ticks if low * 0.999 <= t <= high * 1.001]
    # With very many decades each second one has to do.
    return ticks[::2] if len(ticks) > 9 else ticks


class Axis:
    """Maps values to 0 .. 1. `ticks` is a list of (value, text)."""

    def __init__(self, values, log, texts=None, pad=0.04, tick=short):
        values = [v for v in values if v is not None and (v > 0 or not log)]
        low, high = (min(values), max(values)) if values else (1, 10)
        self.log = log
        if texts is not None:
            self.low, self.high = low, high
        elif log:
            # To the next 1, 2 or 5: bars must not begin at the value of the shortest.
            self.low, self.high = _below(low), _above(high)
        else:
            self.low, self.high = min(low, 0), high * 1.05 if high > 0 else 1
        if self.low == self.high:
            self.low, self.high = (low / 2, high * 2) if log else (low - 1, high + 1)
        self.pad = pad
        if texts is not None:
            self.ticks = texts
        else:
            ticks = _log_ticks if log else _linear_ticks
            self.ticks = [(t, tick(t)) for t in ticks(self.low, self.high)]

    def at(self, value):
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.pad + share * (1 - 2 * self.pad)


def _below(value):
    power = 10.0 ** math.floor(math.log10(value))
    return max(f * power for f in (0.5, 1, 2, 5) if f * power < value * 0.97)


def _above(value):
    power = 10.0 ** math.floor(math.log10(value))
    return min(f * power for f in (1, 2, 5, 10, 20) if f * power > value * 1.03)
