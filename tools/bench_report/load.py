# SPDX-License-Identifier: MIT
"""Reads the JSON files of seg_bench and tools/bench-peers (format "seg_bench/1").

A file comes from a program that may have been stopped, from an older version, or from an editor:
nothing is believed. Whatever is wrong raises BadInput with one line that names the file and the
place. What is merely not there (a workload, the machine card, a value) is no mistake.
"""

import json
import math
import os
import statistics

FORMAT = 'seg_bench/1'
PARAMS = ('producers', 'workers', 'batch', 'segment_size', 'capacity', 'rate', 'jobs')


class BadInput(Exception):
    """One line for the user."""


class Spread:
    """Minimum, median and maximum over the runs of a case."""

    def __init__(self, low, median, high):
        self.min, self.median, self.max = low, median, high

    def scaled(self, factor):
        return Spread(self.min * factor, self.median * factor, self.max * factor)


class Case:
    """One workload with one choice of parameters."""

    def __init__(self, workload, params, runs):
        self.workload = workload
        self.params = params
        self.runs = runs
        self.peer = self.library = self.loop = None
        self.rounds = {}  # ns per job, by number of the round
        self.time = self.cpu = None  # ns per job
        self.values = {}  # name: (unit, Spread)

    def key(self):
        """What makes it the same case in another file; the number of jobs may differ."""
        parameters = tuple(self.params[name] for name in PARAMS if name != 'jobs')
        parameters += (self.params['profile'],)
        if self.workload == 'growth':
            parameters += (self.params['jobs'],)
        # Not the library: its name has its version in it.
        return (self.workload, self.peer, self.loop) + parameters

    def label(self):
        words = [self.peer or self.workload]
        if self.peer:
            words[0] += ' ' + self.workload.removeprefix('peer_')
        short = {'producers': 'P', 'workers': 'W', 'batch': ' a call', 'segment_size': ' slots',
                 'capacity': ' capacity', 'rate': '/s'}
        for name, unit in short.items():
            if self.params[name] is not None:
                words.append(f'{self.params[name]}{unit}')
        words += [text for text in (self.params['profile'], self.loop) if text]
        if self.workload == 'growth':
            words.append(f'{self.params["jobs"]} jobs')
        return ' '.join(words)

    def value(self, name):
        found = self.values.get(name)
        return found[1] if found else None

    def ratio_to(self, base):
        """How many times as long as `base`: the median of the ratios of the same round, or None."""
        ratios = [ns / base.rounds[number] for number, ns in self.rounds.items()
                  if base.rounds.get(number)]
        return statistics.median(ratios) if ratios else None


class Results:
    """A file, or several put together."""

    def __init__(self):
        self.cards = []  # (file name, machine card, options, complete)
        self.cases = []
        self.notes = []
        self.missing = []  # (what could not be measured, why)

    def of(self, workload, **params):
        """The cases of a workload that have these parameters; without a profile unless asked."""
        params.setdefault('profile', None)
        return [c for c in self.cases if c.workload == workload
                and all(c.params[name] == value for name, value in params.items())]

    def profiles(self, workload):
        """The profiles that a workload was run with."""
        return list(dict.fromkeys(c.params['profile'] for c in self.cases
                                  if c.workload == workload and c.params['profile']))

    def add(self, other):
        """What is there already stays: the first file that has a case counts."""
        known = {case.key() for case in self.cases}
        self.cards += other.cards
        self.notes += other.notes
        self.missing += [one for one in other.missing if one not in self.missing]
        self.cases += [case for case in other.cases if case.key() not in known]


def _expect(condition, where, what):
    if not condition:
        raise BadInput(f'{where}: {what}')


def _number(value, where, least=-math.inf):
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A whole number may be too large for a float; so is no figure that was ever measured.
    good = good and abs(value) < 1e300 and math.isfinite(value) and value >= least
    _expect(good, where, 'is not a number' if least == -math.inf else 'is not a positive number')
    return float(value)


def _spread(value, where, least=-math.inf):
    _expect(isinstance(value, dict), where, 'is missing or not { min, median, max }')
    parts = []
    for name in ('min', 'median', 'max'):
        _expect(name in value, where, f'has no "{name}"')
        parts.append(_number(value[name], f'{where}.{name}', least))
    # Figures are written with a few digits each, so the order is only nearly kept.
    _expect(parts[0] <= parts[1] * 1.001 + 1e-9 and parts[1] <= parts[2] * 1.001 + 1e-9, where,
            'is not in the order min, median, max')
    return Spread(*parts)


def _params(raw, where):
    _expect(isinstance(raw, dict), where, 'is missing or not an object')
    params = {}
    for name in PARAMS:
        value = raw.get(name)
        if value is not None:
            value = int(_number(value, f'{where}.{name}', 0))
        params[name] = value
    params['profile'] = _text(raw, 'profile', where)
    return params


def _text(raw, name, where):
    value = raw.get(name)
    _expect(value is None or isinstance(value, str), where, f'"{name}" is not a text')
    return value


def _case(raw, where):
    _expect(isinstance(raw, dict), where, 'is not an object')
    workload = raw.get('workload')
    _expect(isinstance(workload, str) and workload, where, 'has no "workload"')
    runs = raw.get('runs')
    _expect(isinstance(runs, list) and runs, where, f'{workload} has no "runs"')
    case = Case(workload, _params(raw.get('params'), f'{where}.params'), len(runs))
    for name in ('peer', 'library', 'loop'):
        setattr(case, name, _text(raw, name, where))
    kind = raw.get('kind')
    _expect(kind in ('time', 'values'), where,
            f'{workload} is of kind {kind!r}, not time or values')
    if kind == 'time':
        case.time = _spread(raw.get('ns_per_job'), f'{where}.ns_per_job', 0)
        case.rounds = dict(_rounds(runs, where))
        if raw.get('cpu_ns_per_job') is not None:
            case.cpu = _spread(raw['cpu_ns_per_job'], f'{where}.cpu_ns_per_job', 0)
    values = raw.get('values', {})
    _expect(isinstance(values, dict), f'{where}.values', 'is not an object')
    for name, value in values.items():
        at = f'{where}.values["{name}"]'
        spread = _spread(value, at)
        case.values[name] = (str(value.get('unit', '')), spread)
    return case


def _rounds(runs, where):
    """(number of the round, ns per job) of each run; older results do not number them."""
    for index, run in enumerate(runs):
        at = f'{where}.runs[{index}]'
        _expect(isinstance(run, dict), at, 'is not an object')
        if run.get('ns_per_job') is not None:
            yield (int(_number(run.get('round', index), f'{at}.round', 0)),
                   _number(run['ns_per_job'], f'{at}.ns_per_job', 0))


def _missing(peers, path):
    """What tools/bench-peers could not have."""
    _expect(isinstance(peers, list) and all(isinstance(p, dict) for p in peers), path,
            '"peers" is not a list of objects')
    for peer in peers:
        names = peer.get('adapters')
        if isinstance(peer.get('missing'), str):
            names = names if isinstance(names, list) and names else [peer.get('program')]
            yield ', '.join(str(name) for name in names), peer['missing']


def load(path):
    """The results of one file."""
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read()
        _expect(text.strip(), path, 'is empty: was the measurement interrupted?')
        raw = json.loads(text)
    except OSError as error:
        raise BadInput(f'{path}: {error.strerror}') from None
    except UnicodeDecodeError:
        raise BadInput(f'{path}: not a text file') from None
    except json.JSONDecodeError as error:
        raise BadInput(f'{path}: not JSON: line {error.lineno}, column {error.colno}: '
                       f'{error.msg}') from None
    except (RecursionError, ValueError):
        raise BadInput(f'{path}: not JSON that makes sense') from None
    _expect(isinstance(raw, dict) and 'format' in raw, path,
            'not a result of seg_bench: there is no "format"')
    _expect(raw['format'] == FORMAT, path, f'format {raw["format"]!r} is not {FORMAT!r}')
    _expect(isinstance(raw.get('results'), list), path, 'there is no list "results"')
    _expect(raw['results'], path, 'there are no results in it')
    machine, options = raw.get('machine') or {}, raw.get('options') or {}
    _expect(isinstance(machine, dict), path, '"machine" is not an object')
    _expect(isinstance(options, dict), path, '"options" is not an object')
    results = Results()
    seen = set()
    for index, one in enumerate(raw['results']):
        case = _case(one, f'{path}: results[{index}]')
        _expect(case.key() not in seen, path, f'{case.label()} is there twice')
        seen.add(case.key())
        results.cases.append(case)
    notes = raw.get('notes') or []
    _expect(isinstance(notes, list), path, '"notes" is not a list')
    results.notes = [str(note['text']) for note in notes
                     if isinstance(note, dict) and 'text' in note]
    results.missing = list(_missing(raw.get('peers') or [], path))
    results.cards.append((os.path.basename(path), machine, options,
                          raw.get('complete') is not False))
    return results
