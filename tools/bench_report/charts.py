# SPDX-License-Identifier: MIT
"""From results to charts.

Each function below looks for the cases that its chart needs and returns the charts that can be
drawn from them, or none. A chart says what it shows in words; the two that draw it (svg, png) know
nothing of workloads. MISSING tells which workload would bring a chart that is not there.
"""

import math

from .axis import ns, short
from .load import Spread
from .peers import Kind, is_own

# Beyond this ratio of the largest to the smallest figure an axis is logarithmic.
LOG_BEYOND = 8


class Series:
    """A line: points (x, Spread). Dashed ones are ideals and limits, without spread.

    `notes`, if there are any, has a text to stand beside each point, to the left for the first line
    of a chart, to the right for the others.
    """

    def __init__(self, name, points, dashed=False, notes=None):
        self.name, self.points, self.dashed = name, points, dashed
        self.notes = notes or []


class Bar:
    def __init__(self, name, spread, text, own=False):
        self.name, self.spread, self.text, self.own = name, spread, text, own


class Chart:
    """`bars` is set, or `series`; limits are named values drawn across a chart of bars.

    The label of a duration names no unit: each tick does, from ns to s.
    """

    def __init__(self, name, title, about, x_label, y_label, unit='ns'):
        self.name, self.title, self.about = name, title, about
        self.x_label, self.y_label = x_label, y_label
        self.series, self.bars, self.limits = [], [], []
        self.x_log = False
        self.x_texts = None  # [(value, text)]: ticks of their own
        self.tick = ns if unit == 'ns' else short
        self.minor = False  # one of many of its kind: folded away on the page

    def values(self):
        spreads = [p[1] for s in self.series for p in s.points] + [b.spread for b in self.bars]
        return [v for s in spreads for v in (s.min, s.median, s.max)] + [v for _, v in self.limits]

    def y_log(self):
        values = [v for v in self.values() if v > 0]
        return bool(values) and max(values) / min(values) > LOG_BEYOND


def plural(number, word):
    return f'{number} {word}' + ('' if number == 1 else 's')


def _line(cases, x, name, of=lambda case: case.time):
    points = [(case.params[x], of(case)) for case in cases
              if case.params[x] is not None and of(case) is not None]
    return Series(name, sorted(points, key=lambda p: p[0])) if points else None


def _with_lines(chart, lines, x_texts=True):
    """The chart of the lines that have more than one point, if there are any."""
    chart.series = [line for line in lines if line and len(line.points) > 1]
    if not chart.series:
        return []
    chart.x_log = True
    if x_texts:
        xs = sorted({p[0] for line in chart.series for p in line.points})
        chart.x_texts = [(x, short(x) if x >= 10000 else str(x)) for x in xs]
    return [chart]


def _by(cases, name):
    """The cases in groups of the same value of a parameter."""
    groups = {}
    for case in cases:
        groups.setdefault(case.params[name], []).append(case)
    return sorted(groups.items(), key=lambda item: (item[0] is None, item[0] or 0))


def _cpus(results):
    found = [card[1].get('cpus_usable') for card in results.cards]
    found = [n for n in found if isinstance(n, int) and n > 0]
    return found[0] if found else None


def peers(results):
    """Bars for each number of producers and workers, the fastest on top."""
    charts, kinds = [], (('peer_pool', 'pools', 'workers', 'Submit to finished, an empty job'),
                         ('peer_queue', 'queues', 'consumers', 'Push to popped, a job of 32 bytes; '
                          'the better of two loops of the consumers, (plain): they look for jobs '
                          'without a pause in between'),
                         ('peer_cpu', 'pools, jobs that compute', 'workers',
                          'Submit to finished, jobs of 100,000 additions'),
                         ('peer_io', 'pools, jobs that sleep', 'workers',
                          'Submit to finished, jobs that sleep 1 ms'))
    for workload, plural_name, workers_name, what in kinds:
        # Of a queue's two loops the better one, as in the tables.
        cases = Kind(results, workload.removeprefix('peer_')).best.values()
        groups = {}
        for case in cases:
            # A peer whose workers cannot be chosen stands beside all numbers of workers.
            groups.setdefault((case.params['producers'], case.params['workers']), []).append(case)
        everywhere = {p: g for (p, w), g in groups.items() if w is None}
        for (p, w), group in sorted(groups.items(), key=lambda g: (g[0][0] or 0, g[0][1] or 0)):
            if w is None and len(groups) > len(everywhere):
                continue
            group = group + (everywhere.get(p, []) if w is not None else [])
            chart = Chart(f'peers-{workload[5:]}-{p}x{w or 0}',
                          f'{plural_name.capitalize()}: {plural(p, "producer")}, '
                          f'{plural(w, workers_name[:-1]) if w else "their own workers"}',
                          f'{what}. The bar is the median of the runs, the whisker goes from the '
                          'fastest to the slowest run; shorter is better.',
                          'time per job', '')
            for case in sorted(group, key=lambda c: c.time.median):
                name = case.peer or case.library or case.workload
                if case.params['batch']:
                    name += f', {case.params["batch"]} a call'
                if case.loop and case.loop != 'paced':
                    name += f' ({case.loop})'
                chart.bars.append(Bar(name, case.time, ns(case.time.median), is_own(case)))
            chart.minor = (p, w) not in ((1, 1), (1, 2), (2, 2))
            if chart.bars:
                charts.append(chart)
    return charts


def _ideal(line, lanes):
    """From the first point down with the workers, up to `lanes` of them."""
    first_x, first = line.points[0]
    points = []
    for x, _ in line.points:
        factor = min(first_x, lanes or first_x) / min(x, lanes or x)
        value = first.median * factor
        points.append((x, Spread(value, value, value)))
    return Series('ideal: ' + line.name, points, dashed=True)


def worker_scaling(results):
    charts = []
    chart = Chart('workers-empty', 'Worker scaling: empty jobs',
                  'What the hand-over costs when more and more workers wait for it. A pool with '
                  'one lock or one condition variable climbs here; flat is good.',
                  'workers', 'time per job')
    lines = [_line(results.of('scale_empty'), 'workers', '1 producer, to 128 workers')]
    for producers, cases in _by(results.of('pool_empty', segment_size=None), 'producers'):
        lines.append(_line(cases, 'workers', plural(producers, 'producer')))
    lines.append(_line(results.of('pool_producer', producers=1), 'workers',
                       '1 producer with a lane of its own'))
    charts += _with_lines(chart, lines)
    chart = Chart('workers-cpu', 'Worker scaling: jobs that compute',
                  '100,000 additions, and SHA-256 of 8 KiB. The time should fall with the workers '
                  'up to the number of CPUs, and then stay: the dashed lines.',
                  'workers', 'time per job')
    lines = []
    for workload, name in (('scale_cpu', '100,000 additions'),
                           ('scale_sha256', 'SHA-256 of 8 KiB')):
        line = _line(results.of(workload), 'workers', name)
        if line:
            lines += [line, _ideal(line, _cpus(results))]
    return charts + _with_lines(chart, lines)


def io_scaling(results):
    chart = Chart('workers-io', 'I/O scaling: jobs that sleep 1 ms',
                  'Sleeping needs no CPU: with twice the workers the time should halve, far beyond '
                  'the number of CPUs.', 'workers', 'time per job')
    line = _line(results.of('scale_io'), 'workers', 'pool')
    if not line:
        return []
    lines = [line, _ideal(line, None)]
    for case in results.of('thread_io')[:1]:
        lines.append(Series('a thread per job', [(x, case.time) for x, _ in line.points],
                            dashed=True))
    return _with_lines(chart, lines)


def submission(results):
    """What handing over costs: pool against thread per job."""
    chart = Chart('submission', 'Submission overhead: pool against a thread per job',
                  "The producer's own time to hand over one job. The pool's figures are those with "
                  'as many workers as CPUs, or the nearest number measured.',
                  'producer time per job', '')
    for task, name in (('empty', 'empty job'), ('cpu', '100,000 additions'), ('io', '1 ms sleep')):
        pools = [c for c in results.of(f'scale_{task}', producers=1) if c.value('submit')]
        threads = [c for c in results.of(f'thread_{task}') if c.value('submit')]
        wanted = _cpus(results) or 1
        pools.sort(key=lambda c: abs((c.params['workers'] or 0) - wanted))
        for group, how in ((pools, 'pool'), (threads, 'thread per job')):
            if group and threads:
                spread = group[0].value('submit')
                chart.bars.append(Bar(f'{name}: {how}', spread, ns(spread.median),
                                      how == 'pool'))
    return [chart] if chart.bars else []


PERCENTILES = (('p50', 1), ('p90', 2), ('p95', 3), ('p99', 4), ('p99.9', 5), ('max', 6))


def latency(results):
    charts = []
    for name, title, about in (
            ('due', 'Latency: from the moment a job was due to its start',
             'An open loop: jobs come by a schedule, whatever the pool does, and a late submit '
             'counts as latency. Median over the runs, whiskers from the best to the worst run.'),
            ('submit', 'Latency: from the call of wp_submit to the start of the job',
             "What the pool adds by itself, without the producer's own lateness.")):
        chart = Chart(f'latency-{name}', title, about, 'percentile of the jobs', 'latency')
        for case in sorted(results.of('latency'),
                           key=lambda c: (c.params['workers'] or 0, c.params['rate'] or 0)):
            points = [(x, case.value(f'{name} {p}')) for p, x in PERCENTILES
                      if case.value(f'{name} {p}')]
            label = f'{_rate(case.params["rate"])} jobs/s'
            if len({c.params['workers'] for c in results.of('latency')}) > 1:
                label += ', ' + plural(case.params['workers'], 'worker')
            if points:
                chart.series.append(Series(label, points))
        told = {x for series in chart.series for x, _ in series.points}
        chart.x_texts = [(x, p) for p, x in PERCENTILES if x in told]
        if chart.series:
            charts.append(chart)
    return charts


def _notes(points, texts):
    """A text for each point; points that lie together share one, the others have ''."""
    notes, first = [], 0
    for i, (x, spread) in enumerate(points):
        near = notes and abs(math.log(x / points[first][0])) < 0.3 and \
            abs(math.log(spread.median / points[first][1].median)) < 1.5
        if near:
            notes[first] = f'{texts[first]} to {texts[i]}'
            notes.append('')
        else:
            first = i
            notes.append(texts[i])
    return notes


def profiles(results):
    """CPU time against latency: a line for each profile, a point for each rate."""
    chart = Chart('profiles', 'Profiles: CPU time against latency',
                  'An open loop, one worker. For each rate of jobs: how much CPU time the pool and '
                  'the calls of wp_submit take together, as a share of one CPU, and the median '
                  'from the moment a job was due to its start. To the left is cheap, down is fast.',
                  'CPU time, % of one CPU, logarithmic', 'latency, median')
    chart.x_log = True
    for profile in results.profiles('latency'):
        cases = [c for c in results.of('latency', profile=profile)
                 if c.value('CPU') and c.value('CPU').median > 0
                 and c.value('due p50') and c.value('due p50').median > 0]
        workers = {c.params['workers'] for c in cases}
        cases = sorted((c for c in cases if c.params['workers'] == min(workers)),
                       key=lambda c: c.params['rate'] or 0)
        if cases:
            points = [(c.value('CPU').median, c.value('due p50')) for c in cases]
            texts = [f'{_rate(c.params["rate"])}/s' for c in cases]
            chart.series.append(Series(profile, points, notes=_notes(points, texts)))
    return [chart] if chart.series else []


def _rate(rate):
    if not rate:
        return '?'
    return f'{rate // 1000000} M' if rate >= 1000000 else f'{rate // 1000} k' \
        if rate >= 1000 else str(rate)


def sweeps(results):
    chart = Chart('batch', 'Batch size',
                  'Time per job when so many are handed over by one call.', 'jobs per call',
                  'time per job')
    lines = []
    for workload, name in (('pool_batch', 'pool'), ('queue_batch', 'queue')):
        for (p, w), cases in sorted(_pairs(results.of(workload)).items()):
            lines.append(_line(cases, 'batch', f'{name}, {p} P {w} W'))
    charts = _with_lines(chart, lines[:6])
    chart = Chart('segment', 'Segment size',
                  'One producer, one consumer: small segments pay often for looking up and '
                  'recycling, large ones leave the cache before they are used again.',
                  'slots per segment', 'time per job')
    charts += _with_lines(chart, [_line(results.of('segment_size'), 'segment_size', 'queue')])
    chart = Chart('growth', 'From few jobs to many',
                  'A job should cost the same however many there are.', 'jobs',
                  'time per job')
    charts += _with_lines(chart, [_line(results.of('growth'), 'jobs', 'pool, 1 producer')])
    return charts


def _pairs(cases):
    groups = {}
    for case in cases:
        groups.setdefault((case.params['producers'] or 0, case.params['workers'] or 0),
                          []).append(case)
    return groups


def drains(results):
    chart = Chart('drain', 'Collecting results: queue against mutex and array',
                  'Many threads send results of 32 bytes, one collects them.', 'senders',
                  'time per result')
    lines = [_line(results.of('drain_queue'), 'producers', 'wp_queue'),
             _line(results.of('drain_mutex'), 'producers', 'array under a mutex')]
    return _with_lines(chart, lines)


def overload(results):
    pools, threads = results.of('overload_pool'), results.of('overload_thread')
    charts = []
    memory = Chart('overload-memory', 'Memory under overload',
                   'Requests of 500 KB and 20 ms of CPU, offered twice as fast as they can be '
                   'served: peak memory. The line is what pool and queue may hold: '
                   '(workers + capacity + 1) × 500 KB.', 'peak memory (MiB)', '', 'MiB')
    waiting = Chart('overload-latency', 'Latency under overload',
                    'From the moment a request was due to arrive to the end of its job, queueing '
                    'included.',
                    'latency', '')
    for cases, name in ((pools, 'pool'), (threads, 'thread per request')):
        for case in cases:
            label = name
            if len(cases) > 1 and case.params['workers']:
                label += ', ' + plural(case.params['workers'], 'worker')
            peak = case.value('peak memory')
            if peak:
                counts = [f'{case.value(n).median:.0f} {n}' for n in ('finished', 'rejected')
                          if case.value(n)]
                if case.value('bound') and len(cases) > 1:
                    counts.append(f'bound {case.value("bound").median:.3g} MiB')
                memory.bars.append(Bar(label, peak, f'{peak.median:.3g} MiB; ' + ', '.join(counts),
                                       name == 'pool'))
            for part in ('p50', 'p99', 'max'):
                value = case.value('latency ' + part)
                if value:
                    waiting.bars.append(Bar(f'{label}, {part}', value, ns(value.median),
                                            name == 'pool'))
            if case.value('bound') and len(cases) == 1:
                memory.limits.append(('bound of the pool, MiB', case.value('bound').median))
    for chart in (memory, waiting):
        if chart.bars:
            charts.append(chart)
    return charts


# What to draw, in the order of the page, and which workloads it comes from.
SECTIONS = (
    ('Against others', peers, 'peer_pool, peer_queue (tools/bench-peers)'),
    ('Worker scaling', worker_scaling, 'pool_empty, scale_empty, scale_cpu, scale_sha256'),
    ('I/O scaling', io_scaling, 'scale_io'),
    ('Submission overhead', submission, 'scale_empty, scale_cpu, scale_io, thread_*'),
    ('Latency', latency, 'latency'),
    ('Profiles', profiles, 'latency (with --profile latency,balanced,eco)'),
    ('Sweeps', sweeps, 'pool_batch, queue_batch, segment_size, growth'),
    ('Collecting results', drains, 'drain_queue, drain_mutex'),
    ('Overload', overload, 'overload_pool, overload_thread'),
)


def sections(results):
    """[(title, charts, workloads)]; charts is empty where the workloads are missing."""
    return [(title, make(results), source) for title, make, source in SECTIONS]
