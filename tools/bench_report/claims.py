# SPDX-License-Identifier: MIT
"""What wpool wants to be, claim by claim, and whether these results bear it out.

A claim is reached, NOT reached, or not measured: the files have nothing about it. Each is judged in
every shape that was measured, and the figure told is that of the worst of them. Ratios are medians
of ratios of the same round.
"""

from .axis import ns
from .peers import BULK, SINGLE, Kind, median

REACHED, FAILED, UNKNOWN = 'reached', 'NOT reached', 'not measured'

# A peer's submitter or waiter that takes part in the work is one more thread that sleeps; a thread
# or goroutine per job knows no number of workers. They cannot be ahead in I/O jobs by merit.
HELPERS = ('tbb_task_group', 'tbb_enqueue', 'openmp_task')

MIB = 1024.0 * 1024.0
BODY_BYTES = 500000   # of a request of bench/overload.c,
SERVICE_NS = 20e6     # and what it takes
IDEAL_LEAST = 98.0    # % of ideal scaling
MEMORY_MOST = 1.10    # times (workers + capacity) x job size
LATENCY_MOST = 1.5    # times the line that a request may find before it
SHOWN = 6             # peers named as ahead, at most


class Claim:
    """`state` is one of the three; `figure` says it in short, `details` are lines below it."""

    def __init__(self, text, state=UNKNOWN, figure='', details=()):
        self.text, self.state, self.figure, self.details = text, state, figure, list(details)


def _shape(kind, shape):
    return f'{shape[0]} P {shape[1]} {"C" if kind.kind == "queue" else "W"}'


def _by_shape(kind, ways, others):
    """(ratio, peer, way, shape), the peer closest to the best of these ways, for each shape."""
    for shape in kind.shapes:
        own = [way for way in ways if kind.at(way, shape)]
        if not own:
            continue
        way = min(own, key=lambda name: median(kind.at(name, shape)))
        ratios = [(kind.ratio(name, way, shape), name) for name in others]
        ratios = sorted((ratio, name) for ratio, name in ratios if ratio is not None)
        if ratios:
            yield ratios, way, shape


def _at_least(text, kind, ways, others, least):
    """The claim that each of the others takes `least` times as long as the best of the ways."""
    shapes = list(_by_shape(kind, ways, others))
    if not shapes:
        return Claim(text)
    details = []
    for ratios, way, shape in shapes:
        short = [f'{name} {ratio:.2f} x' for ratio, name in ratios if not ratio >= least]
        more = f' and {len(short) - SHOWN} more' if len(short) > SHOWN else ''
        verdict = f'short of it: {", ".join(short[:SHOWN])}{more}' if short else \
            f'the closest: {ratios[0][1]} {ratios[0][0]:.2f} x'
        details.append(f'{_shape(kind, shape)}, {way} {ns(median(kind.at(way, shape)))}: {verdict}')
    ratios, _, shape = min(shapes, key=lambda one: one[0][0][0])
    good = sum(one[0][0][0] >= least for one in shapes)
    return Claim(text, REACHED if good == len(shapes) else FAILED,
                 f'in {good} of {len(shapes)} shapes; at the worst {ratios[0][0]:.2f} x '
                 f'({ratios[0][1]}, {_shape(kind, shape)})', details)


def pools_and_queues(results):
    pool, queue = Kind(results, 'pool'), Kind(results, 'queue')
    singles, bulk = pool.others(SINGLE), pool.others(BULK)
    return [
        _at_least('Whole pool, empty job: every peer takes at least 3 times as long as wp_submit, '
                  'in single submits', pool, ['wpool_submit'], singles, 3),
        _at_least("With a producer's lane: at least 8 times as long as wp_producer_submit, in "
                  'single submits', pool, ['wpool_producer'], singles, 8),
        _at_least('With batches of 64: at least 8 times as long, in single submits', pool,
                  ['wpool_submit_batch', 'wpool_producer_batch'], singles, 8),
        _at_least('With batches on both sides: wpool is ahead of every peer', pool,
                  ['wpool_submit_batch', 'wpool_producer_batch'], bulk, 1),
        _at_least('Queue only, single pushes: ahead of every peer at every P x C', queue,
                  ['wpool', 'wpool_lane'], queue.others(SINGLE), 1),
        _at_least('Queue only, single pushes by a queue for any number of producers: ahead of '
                  'every peer at every P x C', queue, ['wpool'], queue.others(SINGLE), 1),
        _at_least('Queue only, batches: ahead of every peer at every P x C', queue,
                  ['wpool_batch', 'wpool_lane_batch'], queue.others(BULK), 1),
    ]


def _cpus(results):
    found = [card[1].get('cpus_usable') for card in results.cards]
    return max((n for n in found if isinstance(n, int)), default=1)


def _ideal(results, text, workloads):
    """Jobs that take their time: the time falls with the workers, up to the cores."""
    cases = [c for name in workloads for c in results.of(name)
             if c.value('of ideal') and (c.params['workers'] or 0) <= _cpus(results)]
    if not cases:
        return Claim(text)
    worst = min(cases, key=lambda c: c.value('of ideal').median)
    details = [f'{c.label()}: {c.value("of ideal").median:.1f} % '
               f'({c.value("of ideal").min:.1f} .. {c.value("of ideal").max:.1f})' for c in cases]
    share = worst.value('of ideal').median
    return Claim(text, REACHED if share >= IDEAL_LEAST else FAILED,
                 f'{share:.1f} % of ideal at the worst ({worst.label()})', details)


def _nobody_ahead(results, kind_name, text):
    """Ahead by more than noise: even the peer's slowest round was faster than wpool's fastest."""
    kind = Kind(results, kind_name)
    others = [name for name in kind.others(SINGLE) if kind_name != 'io' or
              (name not in HELPERS and kind.has_workers(name))]
    ahead, near = [], []
    for shape in kind.shapes:
        own = kind.at('wpool_submit', shape)
        for name in others if own else ():
            ratio = kind.ratio(name, 'wpool_submit', shape)
            if ratio is None or own.runs < 2 or kind.at(name, shape).runs < 2:
                continue  # one run has no noise to judge by
            line = (ratio, f'{name} {ratio:.3f} x at {_shape(kind, shape)}')
            near.append(line)
            if kind.at(name, shape).time.max < own.time.min:
                ahead.append(line)
    if not near:
        return Claim(text)
    left_out = [] if kind_name != 'io' else [
        'not counted, because they have more threads that sleep: '
        + ', '.join(name for name in kind.others(SINGLE) if name not in others)]
    return Claim(text, FAILED if ahead else REACHED,
                 f'ahead: {", ".join(line for _, line in sorted(ahead)[:SHOWN])}' if ahead else
                 f'nobody; the closest: {min(near)[1]}', left_out)


def jobs(results):
    return [
        _ideal(results, 'CPU jobs: within 2 % of ideal scaling up to the cores',
               ('scale_cpu', 'scale_sha256')),
        _nobody_ahead(results, 'cpu', 'CPU jobs: no peer is ahead by more than noise'),
        _ideal(results, 'I/O jobs: within 2 % of ideal scaling up to the cores', ('scale_io',)),
        _nobody_ahead(results, 'io', 'I/O jobs: no peer is ahead by more than noise'),
    ]


def overload(results):
    memory = Claim('Overload: peak memory within 10 % of (workers + capacity) x job size')
    latency = Claim(f'Overload: the longest latency is at most {LATENCY_MOST} times the line of '
                    'requests that may be ahead, and its service')
    lost = Claim('Overload: nothing is lost')
    # With several numbers of workers, the first that misses something is told, or the last.
    for case in results.of('overload_pool'):
        bound, peak = case.value('bound'), case.value('peak memory')
        # The bound that the workload tells has one more: that which is about to be handed over.
        requests = bound and round(bound.median * MIB / BODY_BYTES) - 1
        if requests and peak and memory.state != FAILED:
            share = peak.median * MIB / (requests * BODY_BYTES)
            memory = Claim(memory.text, REACHED if share <= MEMORY_MOST else FAILED,
                           f'{peak.median:.1f} MiB, {share:.3f} times {requests} x 500 KB')
        longest = case.value('latency max')
        if requests and longest and case.params['workers'] and latency.state != FAILED:
            line = requests / case.params['workers'] * SERVICE_NS
            ok = longest.median <= LATENCY_MOST * line
            latency = Claim(latency.text, REACHED if ok else FAILED,
                            f'{ns(longest.median)}, {longest.median / line:.2f} times {ns(line)}')
            latency.details = [f'a thread per request: {ns(c.value("latency max").median)}'
                               for c in results.of('overload_thread')[:1] if c.value('latency max')]
        counts = [case.value(name) for name in ('offered', 'finished', 'rejected')]
        if all(counts) and lost.state != FAILED:
            offered, finished, rejected = (c.median for c in counts)
            lost = Claim(lost.text, REACHED if offered == finished + rejected else FAILED,
                         f'{offered:.0f} offered, {finished:.0f} finished, {rejected:.0f} rejected')
    return [memory, latency, lost]


def judge(results):
    """All claims, in the order of the page."""
    return pools_and_queues(results) + jobs(results) + overload(results)


def render(results):
    """The text, and how many were not reached."""
    made = judge(results)
    out = []
    for claim in made:
        figure = f': {claim.figure}' if claim.figure else ''
        out.append(f'{claim.state + ":":14}{claim.text}{figure}')
        out += [f'{"":14}  {line}' for line in claim.details]
    counts = {state: sum(c.state == state for c in made) for state in (REACHED, FAILED, UNKNOWN)}
    out.append(', '.join(f'{count} {state}' for state, count in counts.items()))
    return '\n'.join(out) + '\n', counts[FAILED]
