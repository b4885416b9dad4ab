#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/report: what it draws, what it refuses, what it calls slower. All results are made up.

usage: report_test.py TREE
"""

import copy
import json
import os
import re
import signal
import subprocess
import sys
from xml.etree import ElementTree

sys.dont_write_bytecode = True

from harness import Skip, check, check_equal, run  # noqa: E402

TREE = os.path.abspath(sys.argv[1])
REPORT = os.path.join(TREE, 'tools', 'report')
PARAMS = ('producers', 'workers', 'batch', 'segment_size', 'capacity', 'rate', 'jobs',
          'profile')


def spread(median, width=0.05):
    return {'min': median * (1 - width), 'median': median, 'max': median * (1 + width)}


def case(workload, ns=None, runs=5, values=None, **params):
    """A result as seg_bench writes it; peer, library and loop go beside the parameters."""
    out = {'workload': workload, 'kind': 'time' if ns is not None else 'values',
           'params': {name: params.pop(name, None) for name in PARAMS},
           'runs': [{'jobs': 1, 'wall_ns': 1, 'cpu_ns': 1, 'values': {}}] * runs,
           'values': {n: dict(unit=u, **spread(v)) for n, (u, v) in (values or {}).items()}}
    if ns is not None:
        out.update(ns_per_job=spread(ns), cpu_ns_per_job=spread(ns))
    return {**out, **params}


def document(results, **changes):
    machine = {'cpu': 'Made-up <CPU> & Co', 'cpus_usable': 2, 'revision': 'abc123',
               'date': '2026-01-02T03:04:05Z', 'compiler': 'cc 1', 'disturbed': False}
    machine.update(changes.pop('machine', {}))
    return {'format': 'seg_bench/1', 'complete': True, 'machine': machine,
            'options': {'runs': 5, 'quick': False}, 'results': results, 'notes': [], **changes}


def everything():
    """Results for every chart."""
    out = [case('raw_limit', 2.0, jobs=1000)]
    for w in (1, 2, 4, 128):
        out += [case('pool_empty', 20 + w, producers=1, workers=w),
                case('scale_empty', 20 + w, producers=1, workers=w, values={'submit': ('ns', 19)}),
                case('scale_cpu', 30000 / min(w, 2), producers=1, workers=w,
                     values={'submit': ('ns', 22), 'of ideal': ('%', 98)}),
                case('scale_sha256', 20000 / min(w, 2), producers=1, workers=w),
                case('scale_io', 1e6 / w, producers=1, workers=w, values={'submit': ('ns', 30)})]
    for task in ('empty', 'cpu', 'io'):
        out.append(case(f'thread_{task}', 31000, values={'submit': ('ns', 29000)}))
    for rate in (1000, 1000000):
        out.append(case('latency', workers=1, rate=rate, values={
            f'{start} {p}': ('ns', 300 * 2 ** i) for start in ('due', 'submit')
            for i, p in enumerate(('p50', 'p90', 'p95', 'p99', 'p99.9', 'max'))}))
    for profile, cpu in (('latency', 98), ('eco', 5)):
        out += [case('latency', workers=1, rate=rate, profile=profile, values={
            'due p50': ('ns', 3e4 / cpu), 'CPU': ('%', cpu * (1 + rate / 1e6))})
            for rate in (1000, 10000, 1000000)]
    for k in (1, 16, 256):
        out += [case('queue_batch', 20 / k + 3, producers=1, workers=1, batch=k),
                case('segment_size', 20 + 100 / k, producers=1, workers=1, segment_size=k)]
    out += [case('growth', 20, workers=1, jobs=n) for n in (10000, 1000000)]
    for p in (1, 8):
        out += [case('drain_queue', 12 * p, producers=p), case('drain_mutex', 60 * p, producers=p)]
    for name, workers in (('overload_pool', 2), ('overload_thread', None)):
        out.append(case(name, workers=workers, values={
            'peak memory': ('MiB', 20.9), 'bound': ('MiB', 20.5), 'finished': ('jobs', 400),
            'rejected': ('jobs', 380), 'latency p50': ('ns', 4e8), 'latency p99': ('ns', 5e8),
            'latency max': ('ns', 6e8)}))
    for w in (1, 16):
        for peer, library, ns in (('wpool_submit', 'wpool 0.1.0', 17), ('textbook', 'mutex', 55),
                                  ('go-wpool', 'github.com/azargarov/wpool', 120)):
            out.append(case('peer_pool', ns * w, producers=1, workers=w, peer=peer,
                            library=library))
    out.append(case('peer_pool', 36000, producers=1, peer='thread', library='pthread'))
    out.append(case('peer_queue', 200, producers=1, workers=1, peer='vyukov', library='xenium',
                    loop='plain'))
    return out


CHARTS = {'peers-pool-1x1', 'peers-pool-1x16', 'peers-queue-1x1', 'workers-empty', 'workers-cpu',
          'workers-io', 'submission', 'latency-due', 'latency-submit', 'batch', 'segment', 'growth',
          'drain', 'overload-memory', 'overload-latency', 'profiles'}


def write(name, content):
    with open(name, 'w', encoding='utf-8') as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return name


def report(*arguments, python=sys.executable, **options):
    return subprocess.run([python, REPORT, *arguments], text=True, capture_output=True,
                          check=False, **options)


def page_of(results, *more):
    done = report('--no-png', '-o', 'out', write('in.json', results), *more)
    check_equal(done.returncode, 0, done.stderr)
    with open('out/report.html', encoding='utf-8') as file:
        return file.read(), done.stdout


def refused(content, *words):
    done = report('--no-png', '-o', 'out', write('bad.json', content))
    check_equal(done.returncode, 2, done.stderr)
    check_equal(len(done.stderr.splitlines()), 1, done.stderr)
    check(done.stderr.startswith('tools/report: '), done.stderr)
    for word in words:
        check(word in done.stderr, f'{word!r} is not in', done.stderr)
    check(not os.path.exists('out'), 'something was written')


# ---- the page ----

def draws_every_chart():
    html, _ = page_of(document(everything()))
    check_equal(set(re.findall(r'<h3 id="([^"]*)"', html)), CHARTS)
    check('Not in these files' not in html)


def page_needs_nothing_else():
    html, _ = page_of(document(everything()))
    check_equal(re.findall(r'(?:src|href|url)\s*[=(]', html), [])
    check('http' not in html.replace('http-equiv', ''), 'a link')
    check('prefers-color-scheme: dark' in html)


def svg_is_well_formed_and_stays_inside():
    html, _ = page_of(document(everything()))
    pictures = re.findall(r'<svg.*?</svg>', html, re.S)
    check_equal(len(pictures), len(CHARTS))
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        _, _, width, height = map(float, root.get('viewBox').split())
        for element in root.iter():
            for name, value in element.attrib.items():
                most = width if name.startswith(('x', 'cx')) else height
                if name in ('x', 'y', 'x1', 'x2', 'y1', 'y2', 'cx', 'cy'):
                    check(-0.01 <= float(value) <= most + 0.01, root.get('aria-label'), element.tag,
                          name, value)
            if element.tag == 'text':
                check(element.text, 'an empty text')


def axes_have_labels_and_units():
    html, _ = page_of(document(everything()))
    for picture in re.findall(r'<svg.*?</svg>', html, re.S):
        labels = re.findall(r'class="label"[^>]*>([^<]*)<', picture)
        check(labels and all(labels), picture[:200])
        check(re.search(r'>[\d.]+ (ns|µs|ms|s)<', picture) or 'MiB' in ''.join(labels), labels)


def tells_machine_and_date():
    html, _ = page_of(document(everything()))
    for text in ('Made-up &lt;CPU&gt; &amp; Co', 'abc123', '2026-01-02T03:04:05Z', 'cc 1'):
        check(text in html, text)
    check('<CPU>' not in html, 'text got in as markup')


def only_our_own_bars_stand_out():
    html, _ = page_of(document(everything()))
    picture = re.search(r'id="peers-pool-1x1".*?</svg>', html, re.S).group()
    check_equal(re.findall(r'class="strong">([^<]*)<', picture), ['wpool_submit'])
    # A peer that has no number of workers stands beside all numbers.
    check('>thread<' in picture)
    check('>thread<' in re.search(r'id="peers-pool-1x16".*?</svg>', html, re.S).group())


def warns_of_what_may_not_be_quoted():
    html, _ = page_of(document(everything(), complete=False, machine={'disturbed': True},
                               options={'quick': True, 'runs': 1}))
    for word in ('interrupted', 'other processes were busy', 'quick run', 'one run only'):
        check(word in html, word)
    html, _ = page_of(document(everything()))
    check('class="warn"' not in html)


def warns_of_two_machines():
    other = write('other.json', document([case('idle', workers=1)], machine={'cpu': 'Another'}))
    html, _ = page_of(document([case('raw_limit', 2)]), other)
    check('different machines' in html)


def first_file_counts():
    other = write('other.json', document([case('pool_empty', 99, producers=1, workers=1),
                                          case('pool_wait', 77, producers=1, workers=1)]))
    html, _ = page_of(document([case('pool_empty', 11, producers=1, workers=1)]), other)
    check('>11 ns<' in html and '>99 ns<' not in html and '>77 ns<' in html)


def says_what_is_missing():
    html, out = page_of(document([case('raw_limit', 2)]))
    check_equal(re.findall('<h3', html), [])
    check('Not in these files' in html and 'tools/bench-peers' in html)
    check_equal(out.count('left out'), 9, out)


def a_workload_without_its_values():
    """Older results lack "submit" and "peak memory"."""
    results = everything()
    for one in results:
        one['values'] = {}
    html, _ = page_of(document(results))
    check('id="workers-cpu"' in html and 'id="submission"' not in html)


def odd_figures():
    """Zero, one point, equal figures, and very large ones."""
    for ns in (0, 1e-9, 1e200):
        results = [case('scale_io', ns, runs=1, producers=1, workers=w) for w in (1, 2)]
        results += [case('peer_pool', ns, producers=1, workers=1, peer='x', library='y')]
        html, _ = page_of(document(results))
        for picture in re.findall(r'<svg.*?</svg>', html, re.S):
            check('nan' not in picture.lower() and 'inf' not in picture.lower(), ns)
    html, _ = page_of(document([case('segment_size', 5, segment_size=1, producers=1, workers=1)]))
    check('id="segment"' not in html)


def draws_pngs():
    done = report('-o', 'out', write('in.json', document(everything())))
    check_equal(done.returncode, 0, done.stderr)
    if 'python3-matplotlib' in done.stdout:
        check(os.path.exists('out/report.html'))
        raise Skip('no matplotlib')
    check_equal({name.removesuffix('.png') for name in os.listdir('out')
                 if name.endswith('.png')}, CHARTS)
    for name in CHARTS:
        with open(f'out/{name}.png', 'rb') as file:
            head = file.read(24)
        check_equal(head[:8], b'\x89PNG\r\n\x1a\n', name)
        check(int.from_bytes(head[16:20], 'big') > 500, name)


def draws_one_chart_alone():
    results = write('in.json', document(everything()))
    done = report('--chart', 'profiles', '-o', 'out', results)
    if 'python3-matplotlib' in done.stderr:
        raise Skip('no matplotlib')
    check_equal((done.returncode, done.stdout), (0, 'out/profiles.png\n'), done.stderr)
    check_equal(os.listdir('out'), ['profiles.png'])
    done = report('--chart', 'nonsense', '-o', 'other', results)
    check_equal((done.returncode, done.stdout), (2, ''))
    check('latency-due' in done.stderr and 'profiles' in done.stderr, done.stderr)
    check(not os.path.exists('other'))


def profiles_do_not_get_into_other_charts():
    html, _ = page_of(document(everything()))
    picture = re.search(r'id="latency-due".*?</svg>', html, re.S).group()
    check_equal(picture.count('class="line s'), 2 * 2, picture)
    picture = re.search(r'id="profiles".*?</svg>', html, re.S).group()
    for text in ('latency', 'eco', '1 k/s to 10 k/s', '1 M/s'):
        check(f'>{text}<' in picture, text, picture)


def without_matplotlib_the_page_is_written():
    """A Python that finds no matplotlib: the first on the path refuses to be imported."""
    os.mkdir('fake')
    write('fake/matplotlib.py', 'raise ImportError("made up")\n')
    done = report('-o', 'out', write('in.json', document(everything())),
                  env={**os.environ, 'PYTHONPATH': os.path.abspath('fake')})
    check_equal(done.returncode, 0, done.stderr)
    check('apt-get install python3-matplotlib' in done.stdout, done.stdout)
    check_equal(os.listdir('out'), ['report.html'])


# ---- what is refused ----

def refuses_what_is_no_result():
    refused('', 'is empty')
    refused('\n', 'is empty')
    refused('x', 'not JSON', 'line 1')
    refused('{"format": "seg_bench/1", ', 'not JSON')
    refused('[' * 100000, 'not JSON')
    refused('[]', 'no "format"')
    refused('{}', 'no "format"')
    refused({'format': 'seg_bench/2', 'results': []}, 'seg_bench/2')
    refused({'format': 'seg_bench/1'}, 'no list "results"')
    refused(document([]), 'no results')
    refused(document([5]), 'results[0]', 'not an object')
    refused(document([{}]), 'results[0]', 'workload')
    for name in ('runs', 'params', 'ns_per_job', 'kind'):
        broken = document(everything())
        del broken['results'][3][name]
        refused(broken, 'results[3]', name)


def refuses_figures_that_are_none():
    for value in (None, 'x', True, [], {}, float('nan'), float('inf'), -1, 10 ** 400):
        broken = document(everything())
        broken['results'][0]['ns_per_job']['median'] = value
        refused(broken, 'results[0].ns_per_job')
    broken = document(everything())
    broken['results'][0]['ns_per_job'] = {'min': 3, 'median': 2, 'max': 1}
    refused(broken, 'order')
    broken['results'][0]['ns_per_job'] = {'min': 3, 'median': 2}
    refused(broken, 'max')


def refuses_a_case_twice():
    refused(document([case('raw_limit', 2), case('raw_limit', 3)]), 'raw_limit', 'twice')


def refuses_files_that_cannot_be_read():
    for path in ('nothing.json', '.'):
        done = report(path)
        check_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        check(path in done.stderr, done.stderr)
    with open('binary', 'wb') as file:
        file.write(b'\xff\xfe\x00')
    done = report('binary')
    check_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)


def refuses_wrong_arguments():
    for arguments in ((), ('--nonsense', 'x'), ('--compare', 'x'), ('--compare', 'a', 'b', 'c'),
                      ('--chart',), ('--chart', 'x', '--no-png', 'a'),
                      ('-o',), ('--table',), ('--table', 'a', 'b'), ('--put', 'a'), ('--claims',),
                      ('--table', '--claims', 'a'), ('--closest', '1', 'a'),
                      ('--table', '--closest', '0', 'a'), ('--table', '--closest', 'x', 'a')):
        done = report(*arguments)
        check_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)


def output_that_cannot_be_written():
    write('out', 'a file')
    done = report('--no-png', '-o', 'out', write('in.json', document(everything())))
    check_equal((done.returncode, len(done.stderr.splitlines())), (3, 1), done.stderr)


# ---- old against new ----

def compared(old, new, *options):
    done = report('--compare', *options, write('old.json', document(old)),
                  write('new.json', document(new)))
    check_equal(done.stderr, '')
    return done.returncode, done.stdout


def same_is_not_slower():
    status, out = compared(everything(), everything())
    check_equal(status, 0, out)
    check('SLOWER' not in out and ' 0 worse' in out, out)


def slower_beyond_the_noise_is_marked():
    new = everything()
    new[1]['ns_per_job'] = spread(21 * 1.3)
    status, out = compared(everything(), new)
    check_equal(status, 1, out)
    check_equal(re.findall(r'^  (\S+) +time per job +(x \S+)', out, re.M), [('SLOWER', 'x 1.30')])
    check('pool_empty 1P 1W' in out, out)
    status, out = compared(new, everything())
    check_equal(status, 0, out)
    check('better' in out and 'SLOWER' not in out, out)


def slower_within_the_noise_is_not():
    # The medians are far apart, but the ranges overlap.
    new = everything()
    new[1]['ns_per_job'] = {'min': 20, 'median': 40, 'max': 60}
    check_equal(compared(everything(), new)[0], 0)
    # The ranges do not overlap, but the difference is too small to matter.
    new[1]['ns_per_job'] = spread(21 * 1.04, 0.001)
    old = everything()
    old[1]['ns_per_job'] = spread(21, 0.001)
    check_equal(compared(old, new)[0], 0)


def one_run_cannot_be_judged():
    old, new = [case('pool_empty', 20, runs=1, workers=1)], [case('pool_empty', 60, workers=1)]
    status, out = compared(old, new)
    check_equal(status, 0, out)
    check('SLOWER' not in out and '1 differ but cannot be judged' in out, out)


def values_are_judged_too():
    def with_values(**values):
        return [case('scale_cpu', 30, workers=1, values=values)]

    names = {'peak memory': 'MiB', 'heap calls': '', 'submit': 'ns'}
    for name, unit in names.items():
        status, out = compared(with_values(**{name: (unit, 10)}), with_values(**{name: (unit, 20)}))
        check_equal(status, 1, out)
    status, out = compared(with_values(**{'heap calls': ('', 0)}),
                           with_values(**{'heap calls': ('', 3)}))
    check_equal(status, 1, out)
    ideal = [with_values(**{'of ideal': ('%', n)}) for n in (98, 60)]
    check_equal(compared(*ideal)[0], 1)
    check_equal(compared(*reversed(ideal))[0], 0)
    # Who offers more is not worse.
    check_equal(compared(with_values(offered=('jobs', 1)), with_values(offered=('jobs', 9)))[0], 0)


def tells_what_only_one_has():
    old = everything()
    status, out = compared(old, old[1:] + [case('idle', workers=1)])
    check_equal(status, 0, out)
    check('only in old: raw_limit' in out and 'only in new: idle' in out, out)
    done = report('--compare', write('a.json', document(old[:1])),
                  write('b.json', document(old[1:2])))
    check_equal((done.returncode, done.stdout), (2, ''), done.stderr)
    check('no case in common' in done.stderr)


def a_new_version_of_a_peer_is_the_same_case():
    old = [case('peer_pool', 20, producers=1, workers=1, peer='x', library='x 1.0')]
    new = copy.deepcopy(old)
    new[0]['library'] = 'x 2.0'
    check('1 figures compared' in compared(old, new)[1])


def another_machine_is_told():
    done = report('--compare', write('a.json', document(everything())),
                  write('b.json', document(everything(), machine={'cpu': 'Another'})))
    check('NOT THE SAME cpu' in done.stdout, done.stdout)
    new = everything()
    new[0]['ns_per_job'] = spread(1.0)
    check('RAW LIMIT DIFFERS' in compared(everything(), new)[1])


# ---- claims, and tables in Markdown ----

def peer_case(peer, figures, kind='pool', workers=1, producers=1, loop=None, batch=None):
    """A result of tools/bench-peers with one figure for each round."""
    one = case(f'peer_{kind}', sorted(figures)[len(figures) // 2], producers=producers,
               workers=workers, batch=batch, peer=peer, loop=loop,
               library='wpool 1' if peer.startswith('wpool') else peer)
    one['ns_per_job'].update(min=min(figures), max=max(figures))
    one['runs'] = [{'round': n, 'ns_per_job': ns, 'jobs': 1} for n, ns in enumerate(figures)]
    return one


def peers_document(**changes):
    results = [
        case('raw_limit', 2.0),
        peer_case('wpool_submit', (10, 20, 40)), peer_case('wpool_producer', (5, 5, 5)),
        peer_case('near', (50, 60, 70)), peer_case('far', (200, 300, 400)),
        peer_case('thread', (9000, 9000, 9000), workers=None),
        peer_case('wpool_submit_batch', (4, 4, 4), batch=64),
        peer_case('many', (8, 8, 8), batch=64),
        peer_case('wpool', (10, 10, 10), 'queue', loop='plain'),
        peer_case('wpool', (99, 99, 99), 'queue', loop='paced'),
        peer_case('ring', (9, 9, 9), 'queue', loop='plain'),
        peer_case('wpool_submit', (100, 100, 110), 'cpu', 2),
        peer_case('near', (120, 105, 115), 'cpu', 2),
        peer_case('wpool_submit', (100, 100, 110), 'io', 2),
        peer_case('near', (90, 90, 90), 'io', 2), peer_case('openmp_task', (9, 9, 9), 'io', 2),
    ]
    return document(results, peers=[
        {'program': 'near', 'adapters': ['near'], 'missing': None},
        {'program': 'gone', 'adapters': ['a', 'b'], 'missing': 'no such package'}], **changes)


def claims_of(results):
    done = report('--claims', write('in.json', results))
    check_equal(done.stderr, '')
    found = {}
    for line in done.stdout.splitlines():
        if re.match(r'(reached|NOT reached|not measured): ', line):
            state, text = line.split(':', 1)
            found[text.strip()] = state
    return done, {words: state for text, state in found.items()
                  for words in (re.sub(r'[^a-zA-Z/]+', ' ', text),)}


def state_of(found, *words):
    states = [state for text, state in found.items() if all(w in text for w in words)]
    check(len(states) == 1, words, found)
    return states[0]


def claims_are_judged_round_by_round():
    done, found = claims_of(peers_document())
    check_equal(done.returncode, 1)
    # 50 / 10, 60 / 20, 70 / 40: the median is 3.
    check_equal(state_of(found, 'Whole pool'), 'reached')
    check('1 P 1 W, wpool_submit 20 ns: the closest: near 3.00 x' in done.stdout, done.stdout)
    check_equal(state_of(found, "producer s lane"), 'reached')
    check_equal(state_of(found, 'With batches of', 'in single submits'), 'reached')
    check_equal(state_of(found, 'batches on both sides'), 'reached')
    check_equal(state_of(found, 'any number of producers'), 'NOT reached')
    check('1 P 1 C, wpool 10 ns: short of it: ring 0.90 x' in done.stdout, done.stdout)
    check_equal(state_of(found, 'CPU jobs no peer'), 'reached')
    check_equal(state_of(found, 'I/O jobs no peer'), 'NOT reached')
    check('ahead: near 0.900 x at 1 P 2 W' in done.stdout, done.stdout)
    check('not counted, because they have more threads that sleep: openmp_task' in done.stdout)
    check_equal(state_of(found, 'Overload', 'lost'), 'not measured')


def a_claim_fails_by_one_round_more():
    results = peers_document()
    results['results'][3] = peer_case('near', (50, 59, 70))
    check_equal(state_of(claims_of(results)[1], 'Whole pool'), 'NOT reached')


def claims_of_scaling_and_overload():
    def states(ideal, peak, longest, finished=400):
        made = [case('scale_cpu', 1, workers=w, values={'of ideal': ('%', n)})
                for w, n in ((1, 99), (2, ideal), (4, 50))]
        made.append(case('overload_pool', workers=2, values={
            'peak memory': ('MiB', peak), 'bound': ('MiB', 43 * 500000 / 2 ** 20),
            'offered': ('jobs', 800), 'finished': ('jobs', finished), 'rejected': ('jobs', 400),
            'latency max': ('ns', longest)}))
        done, found = claims_of(document(made))
        return done.returncode, [state_of(found, *words) for words in (
            ('CPU jobs within',), ('peak memory',), ('longest latency',), ('lost',))]

    bound = 42 * 500000 / 2 ** 20
    check_equal(states(98, 1.1 * bound - 0.01, 1.5 * 420e6 - 1), (0, ['reached'] * 4))
    check_equal(states(97.9, 1.1 * bound + 0.01, 1.5 * 420e6 + 1e6, 399), (1, ['NOT reached'] * 4))


def claims_stand_on_the_page():
    html, _ = page_of(peers_document())
    check('What was to come out' in html and 'NOT reached' in html)
    check('<li>a, b: no such package</li>' in html)
    html, _ = page_of(document([case('idle', workers=1)]))
    check('What was to come out' not in html)


def table_of(*options, **changes):
    done = report('--table', *options, write('in.json', peers_document(**changes)))
    check_equal((done.returncode, done.stderr), (0, ''))
    return done.stdout


def tables_have_every_peer():
    text = table_of()
    for row in ('| **wp_submit** | 20 |', '| **wp_producer_submit** | 5.0 |',
                '| `near` | 60 (3.0 x) |', '| `far` | 300 (15 x) |', '| `thread` | 9000 (450 x) |',
                '| **wp_submit_batch of 64** | 4.0 |', '| `many` | 8.0 (2.0 x) |',
                # The better loop of the two; bold is who is ahead.
                '| **wp_queue_push** | 10 |', '| `ring` | **9.0 (0.90 x)** |',
                '| `near` | **90 (0.90 x)** |', '- Not measured: a, b: no such package.'):
        check(row in text.splitlines(), row, text)
    check(text.index('`near` | 60') < text.index('`far`') < text.index('`thread`'))
    check('Not quiet' not in text and 'quick' not in text and '2026-01-02' in text)
    check('need 2.0 (1.9 to 2.1 from round to round).' in ' '.join(text.split()), text)


def tables_of_the_closest():
    text = table_of('--closest', '1')
    check('`near`' in text and '`many`' in text and '`ring`' in text, text)
    check('`far`' not in text and 'sleep' not in text, text)


def tables_say_what_may_not_be_quoted():
    text = table_of(complete=False, options={'quick': True, 'runs': 1},
                    machine={'disturbed': True, 'cpus_used_by_others_during': 1.26})
    for words in ('other programs used 1.3 CPUs', 'quick run', 'Interrupted', '1 round,'):
        check(words in ' '.join(text.split()), words, text)
    text = table_of(machine={'cpu': '', 'cpus_usable': 0, 'compiler': '', 'date': None,
                             'revision': None})
    check('A machine unknown; wpool of an unknown revision, at an unknown date.' in
          ' '.join(text.split()), text)


def tables_are_put_into_documents():
    mark = '<!-- table of old.json, 1 closest -->\nSTALE\n<!-- end of table -->\n'
    name = write('doc.md', f'before\n{mark}between\n{mark.replace(", 1 closest", "")}after\n')
    done = report('--put', write('in.json', peers_document()), name)
    check_equal((done.returncode, done.stderr, done.stdout), (0, '', ''))
    with open(name, encoding='utf-8') as file:
        text = file.read()
    check(text.startswith('before\n<!-- table of '), text)
    check(text.endswith('<!-- end of table -->\nafter\n'), text)
    check('in.json, 1 closest -->' in text and 'in.json -->' in text and 'STALE' not in text, text)
    check_equal((text.count('`far`') > 0, text.count('`near`')), (True, 4))
    again = report('--put', 'in.json', name)
    with open(name, encoding='utf-8') as file:
        check_equal((again.returncode, file.read()), (0, text))


def documents_that_cannot_be_served():
    write('in.json', peers_document())
    write('none.md', 'no mark')
    good = write('good.md', '<!-- table of x -->\n<!-- end of table -->\n')
    for arguments, words in ((('none.md',), 'none.md has no'), (('gone.md',), 'No such file'),
                             ((good, 'none.md'), 'none.md has no')):
        done = report('--put', 'in.json', *arguments)
        check_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        check(words in done.stderr, done.stderr)
    with open(good, encoding='utf-8') as file:
        check_equal(file.read(), '<!-- table of x -->\n<!-- end of table -->\n')
    done = report('--table', write('seg.json', document([case('idle', workers=1)])))
    check_equal((done.returncode, done.stdout), (2, ''))
    check('no results of tools/bench-peers' in done.stderr, done.stderr)


def a_closed_pipe_ends_it_silently():
    for arguments in (('--table', 'in.json'), ('--claims', 'in.json'),
                      ('--compare', '--all', 'in.json', 'in.json'), ('--help',)):
        write('in.json', peers_document())
        read, end = os.pipe()
        os.close(read)
        done = subprocess.run([sys.executable, REPORT, *arguments], stdout=end, text=True,
                              stderr=subprocess.PIPE, check=False,
                              env={**os.environ, 'PYTHONUNBUFFERED': ''})
        os.close(end)
        check_equal((done.returncode, done.stderr), (-signal.SIGPIPE, ''), arguments)


def tree_stays_clean():
    report('--no-png', '-o', 'out', write('in.json', document(everything())))
    for folder, folders, _ in os.walk(os.path.join(TREE, 'tools')):
        check('__pycache__' not in folders, folder)


if __name__ == '__main__':
    here = dict(globals())
    helpers = {'spread', 'case', 'document', 'everything', 'write', 'report', 'page_of', 'refused',
               'compared', 'check', 'check_equal', 'run', 'peer_case', 'peers_document',
               'claims_of', 'state_of', 'table_of'}
    sys.exit(run([f for name, f in here.items()
                  if callable(f) and getattr(f, '__module__', '') == '__main__'
                  and name not in helpers], sys.argv[2:]))
