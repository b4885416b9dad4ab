# SPDX-License-Identifier: MIT
"""Results of tools/bench-peers, arranged: who ran what in which shape.

A queue is measured with two loops of its consumers; the better one counts, on both sides. A peer
whose workers cannot be chosen stands beside every number of workers.
"""

OWN = 'wpool'
SINGLE, BULK = False, True

# wpool's ways, and how the interface calls them. The first of each kind is the one for any number
# of producers, to which ratios are taken.
WAYS = {
    'queue': {'wpool': 'wp_queue_push', 'wpool_lane': 'wp_queue_push, single_producer',
              'wpool_batch': 'wp_queue_push_many of 64',
              'wpool_lane_batch': 'wp_queue_push_many of 64, single_producer'},
    'pool': {'wpool_submit': 'wp_submit', 'wpool_producer': 'wp_producer_submit',
             'wpool_submit_batch': 'wp_submit_batch of 64',
             'wpool_producer_batch': 'wp_producer_submit_batch of 64'},
    'cpu': {'wpool_submit': 'wp_submit', 'wpool_producer': 'wp_producer_submit'},
    'io': {'wpool_submit': 'wp_submit', 'wpool_producer': 'wp_producer_submit'},
}


def is_own(case):
    return (case.library or case.peer or '').split()[:1] in ([OWN], [OWN + ','])


def median(case):
    return case.time.median


class Kind:
    """All cases of one kind (queue, pool, cpu, io), the better loops only."""

    def __init__(self, results, kind):
        self.kind = kind
        best = {}
        for case in results.of('peer_' + kind):
            if case.time is None or not case.peer or not case.time.median > 0:
                continue
            key = (case.peer, case.params['producers'], case.params['workers'])
            if key not in best or median(case) < median(best[key]):
                best[key] = case
        self.best = best
        self.names = list(dict.fromkeys(name for name, _, _ in best))
        self.shapes = sorted({(p, w) for _, p, w in best if p is not None and w is not None})

    def at(self, name, shape):
        """The case of a peer in a shape, or None."""
        producers, _ = shape
        return self.best.get((name, *shape)) or self.best.get((name, producers, None))

    def own(self, bulk):
        return [name for name in WAYS[self.kind] if self._is(name, True, bulk)]

    def others(self, bulk):
        return [name for name in self.names if self._is(name, False, bulk)]

    def _is(self, name, own, bulk):
        one = next((c for (n, _, _), c in self.best.items() if n == name), None)
        return one is not None and is_own(one) is own and (one.params['batch'] is not None) is bulk

    def has_workers(self, name):
        return all(w is not None for n, _, w in self.best if n == name)

    def ratio(self, name, base, shape):
        """How many times the time of `base` the peer takes in a shape, or None."""
        one, own = self.at(name, shape), self.at(base, shape)
        return one.ratio_to(own) if one and own else None
