"""CTC prefix beam search in log space (Hannun et al. 2014, algorithm 1; Graves 2012, section 7.5).

A prefix is a node of a trie. While it is in the beam it carries the log probability of all
paths so far that spell it and end in blank, and of those that end in its last unit; a scorer
(see `asr.decode.scorer`) adds its own log score to the two's sum. Where the scorer has several
readings of a prefix (words that sound alike), each is a node, with the same paths.

Ties: of prefixes with equal scores those that have been in the beam longer stay, and of those
that would join, first the ones whose parent has been there longer, then the likelier unit.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from asr.decode.scorer import NO_SCORER, advance, ceiling, ceiling_from, finish, readings
from asr.lm import ngram
from asr.text.units import BLANK

_ROOT = 0  # the empty prefix; as a child or sibling: none
_OUT = -1  # slot of a prefix that is not in the beam


class Labelling(NamedTuple):
    """A sequence of units and its natural log scores."""

    labels: np.ndarray
    """Units without blanks, shape = (L,), int32."""
    readings: np.ndarray
    """The scorer's choice at each unit and at the end, 0 where it had none; shape = (L + 1,)."""
    acoustic: float
    """Of all paths that were summed."""
    added: float
    """By the scorer."""

    @property
    def score(self) -> float:
        """What labellings are sorted by."""
        return self.acoustic + self.added


class _Limits(NamedTuple):
    """What prunes the search."""

    width: int
    threshold: float
    log_posterior: float
    sure_blank: float


class _Trie(NamedTuple):
    """Every prefix that the scorer has been asked about; one element each."""

    parent: np.ndarray
    unit: np.ndarray
    reading: np.ndarray  # those of one unit lie side by side, from 0 on
    child: np.ndarray  # the latest; older ones follow by `sibling`
    sibling: np.ndarray
    slot: np.ndarray  # where in the beam
    state: np.ndarray  # the scorer's
    added: np.ndarray  # log score by the scorer


class _Beam(NamedTuple):
    """Prefixes under consideration; one element each, the first ones in use."""

    node: np.ndarray
    blank: np.ndarray  # log probability of the paths that end in blank,
    label: np.ndarray  # in the last unit,
    either: np.ndarray  # and their sum
    total: np.ndarray  # with the scorer's


@njit(nogil=True)
def _new_trie(size: int) -> _Trie:
    return _Trie(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
                 np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
                 np.empty(size, np.int64), np.empty(size))


@njit(nogil=True)
def _new_beam(size: int) -> _Beam:
    return _Beam(np.empty(size, np.int32), np.empty(size), np.empty(size), np.empty(size),
                 np.empty(size))


@njit(nogil=True)
def _with_room(trie: _Trie, nodes: int, more: int) -> _Trie:
    """The trie, or a copy of its first `nodes` with place for many more."""
    if nodes + more <= len(trie.parent):
        return trie
    larger = _new_trie(2 * (nodes + more))
    larger.parent[:nodes] = trie.parent[:nodes]
    larger.unit[:nodes] = trie.unit[:nodes]
    larger.reading[:nodes] = trie.reading[:nodes]
    larger.child[:nodes] = trie.child[:nodes]
    larger.sibling[:nodes] = trie.sibling[:nodes]
    larger.slot[:nodes] = trie.slot[:nodes]
    larger.state[:nodes] = trie.state[:nodes]
    larger.added[:nodes] = trie.added[:nodes]
    return larger


@njit(nogil=True)
def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    if not b - a > -40.0:  # exp(-40) is below float64's resolution; also where both are -inf
        return a
    return a + np.log1p(np.exp(b - a))


@njit(nogil=True)
def _set_node(trie: _Trie, node: int, parent: int, unit: int, reading: int, state: int,
              added: float) -> None:
    trie.parent[node] = parent
    trie.unit[node] = unit
    trie.reading[node] = reading
    trie.child[node] = _ROOT
    trie.sibling[node] = _ROOT
    trie.slot[node] = _OUT
    trie.state[node] = state
    trie.added[node] = added


@njit(nogil=True)
def _find_child(trie: _Trie, node: int, unit: int) -> int:
    """The first reading of a prefix with one more unit."""
    child = trie.child[node]
    while child != _ROOT and trie.unit[child] != unit:
        child = trie.sibling[child]
    return child


@njit(nogil=True)
def _new_children(trie: _Trie, nodes: int, node: int, unit: int, scorer: Any
                  ) -> tuple[_Trie, int]:
    """Enter all readings of a prefix with one more unit; the trie and its new size."""
    number = readings(scorer, trie.state[node], unit)
    trie = _with_room(trie, nodes, number)
    for reading in range(number):
        state, gain = advance(scorer, trie.state[node], unit, reading)
        _set_node(trie, nodes + reading, node, unit, reading, state, trie.added[node] + gain)
    trie.sibling[nodes] = trie.child[node]
    trie.child[node] = nodes
    return trie, nodes + number


@njit(nogil=True)
def _put(beam: _Beam, i: int, node: int, blank: float, label: float, added: float) -> None:
    beam.node[i] = node
    beam.blank[i] = blank
    beam.label[i] = label
    beam.either[i] = _add(blank, label)
    beam.total[i] = beam.either[i] + added


@njit(nogil=True)
def _move(beam: _Beam, i: int, to: int) -> None:
    beam.node[to] = beam.node[i]
    beam.blank[to] = beam.blank[i]
    beam.label[to] = beam.label[i]
    beam.either[to] = beam.either[i]
    beam.total[to] = beam.total[i]


@njit(nogil=True)
def _stay(trie: _Trie, now: _Beam, size: int, row: np.ndarray, then: _Beam) -> None:
    """Keep each prefix: by a blank, by its last unit again, or by that unit after its parent."""
    for i in range(size):
        node = now.node[i]
        unit = trie.unit[node]
        blank = now.either[i] + row[BLANK]
        label = -np.inf
        if node != _ROOT:
            label = now.label[i] + row[unit]
            parent = trie.parent[node]
            j = trie.slot[parent]
            if j != _OUT:
                # A unit that repeats the parent's last one counts as another only after a blank.
                mass = now.blank[j] if trie.unit[parent] == unit else now.either[j]
                label = _add(label, mass + row[unit])
        _put(then, i, node, blank, label, trie.added[node])


@njit(nogil=True)
def _pause(trie: _Trie, now: _Beam, size: int, blank: float) -> None:
    """As `_stay`, where there is but the blank: so all of the beam survives, in its order."""
    for i in range(size):
        _put(now, i, now.node[i], now.either[i] + blank, -np.inf, trie.added[now.node[i]])


@njit(nogil=True)
def _cut(totals: np.ndarray, limits: _Limits) -> float:
    """The score that a prefix must exceed to be kept beside those."""
    return max(totals.max() - limits.threshold,
               totals.min() if len(totals) == limits.width else -np.inf)


@njit(nogil=True)
def _likely_units(row: np.ndarray, least: float, gap: float, ceilings: np.ndarray,
                  units: np.ndarray) -> int:
    """Fill `units` with those of a frame that may start a prefix, most promising first; how many.

    Their log posterior is at least `least`, and with the most that the scorer can add to it exceeds
    `gap`.
    """
    count = 0
    for unit in range(BLANK + 1, len(row)):
        promise = row[unit] + ceilings[unit]
        if row[unit] >= least and promise > gap:
            i = count
            while i > 0 and row[units[i - 1]] + ceilings[units[i - 1]] < promise:
                units[i] = units[i - 1]
                i -= 1
            units[i] = unit
            count += 1
    return count


@njit(nogil=True)
def _extend(trie: _Trie, nodes: int, now: _Beam, size: int, row: np.ndarray, then: _Beam,
            limits: _Limits, units: np.ndarray, ceilings: np.ndarray, spare: np.ndarray,
            scorer: Any) -> tuple[_Trie, int, int]:
    """Append to `then`, after the kept prefixes, those with one more unit that can survive.

    What can't get past `cut` will not survive, so the scorer is never asked about it; and about
    the others once, however many frames they try again in.
    """
    count = size
    cut = _cut(then.total[:size], limits)
    tried = _likely_units(row, min(limits.log_posterior, row.max()),
                          cut - now.total[:size].max(), ceilings, units)
    for i in range(size):
        node = now.node[i]
        for unit in units[:tried]:
            if now.total[i] + row[unit] + ceilings[unit] <= cut:
                break
            mass = now.blank[i] if trie.unit[node] == unit else now.either[i]
            acoustic = mass + row[unit]
            child = _find_child(trie, node, unit)
            if child == _ROOT:
                if (acoustic + trie.added[node]
                        + ceiling_from(scorer, trie.state[node], unit)) <= cut:
                    continue
                child = nodes
                trie, nodes = _new_children(trie, nodes, node, unit, scorer)
            reading = 0
            while child < nodes and trie.reading[child] == reading:
                # One that is in the beam has got its paths in `_stay`.
                if trie.slot[child] == _OUT and acoustic + trie.added[child] > cut:
                    if count == len(then.node):
                        count = _select(then, count, limits, spare)
                        cut = _cut(then.total[:count], limits)
                    if acoustic + trie.added[child] > cut:
                        _put(then, count, child, -np.inf, acoustic, trie.added[child])
                        count += 1
                child += 1
                reading += 1
    return trie, nodes, count


@njit(nogil=True)
def _kth_largest(values: np.ndarray, k: int) -> float:
    """The k-th largest value, k from 1 (Hoare's quickselect); reorders `values`."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return values[k - 1]


@njit(nogil=True)
def _select(beam: _Beam, count: int, limits: _Limits, spare: np.ndarray) -> int:
    """Move the best `width` of the first `count` prefixes, if near the best, up in their order."""
    floor = beam.total[:count].max() - limits.threshold
    edge, at_edge = -np.inf, count
    if count > limits.width:
        spare[:count] = beam.total[:count]
        edge = _kth_largest(spare[:count], limits.width)
        at_edge = limits.width - (beam.total[:count] > edge).sum()
    kept = 0
    for i in range(count):
        total = beam.total[i]
        if total <= floor or total < edge:
            continue
        if total == edge:
            if at_edge == 0:
                continue
            at_edge -= 1
        if kept < i:
            _move(beam, i, kept)
        kept += 1
    return kept


@njit(nogil=True)
def _settle(trie: _Trie, now: _Beam, size: int, then: _Beam, count: int) -> None:
    """Note who is in the beam."""
    for i in range(size):
        trie.slot[now.node[i]] = _OUT
    for i in range(count):
        trie.slot[then.node[i]] = i


def _searcher(cache: bool) -> Callable:
    """Compile the search.

    numba's cache sees changes of this file alone, and of the constants of a function: hence `code`,
    a digest of all files whose functions are compiled into it.
    """
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(ngram.__file__)]
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    @njit(nogil=True, cache=cache)
    def search(log_posteriors: np.ndarray, limits: _Limits, scorer: Any) -> tuple:
        """The trie; its nodes in the final beam, with reading, acoustic and added score each."""
        assert code
        frames, symbols = log_posteriors.shape
        trie = _new_trie(1 + 4 * frames)
        _set_node(trie, _ROOT, _ROOT, BLANK, 0, scorer.start, 0.0)
        now, then = _new_beam(2 * limits.width), _new_beam(2 * limits.width)
        _put(now, 0, _ROOT, 0.0, -np.inf, 0.0)
        trie.slot[_ROOT] = 0
        nodes = size = 1
        units, spare = np.empty(symbols, np.int64), np.empty(2 * limits.width)
        ceilings = np.empty(symbols)
        for unit in range(symbols):
            ceilings[unit] = ceiling(scorer, unit)
        for t in range(frames):
            if size == 0:  # the scorer forbids whatever the posteriors allow
                break
            row = log_posteriors[t]
            if row[BLANK] >= limits.sure_blank:
                _pause(trie, now, size, row[BLANK])
                continue
            _stay(trie, now, size, row, then)
            trie, nodes, count = _extend(trie, nodes, now, size, row, then, limits, units,
                                         ceilings, spare, scorer)
            count = _select(then, count, limits, spare)
            _settle(trie, now, size, then, count)
            now, then, size = then, now, count
        ended = [(now.node[i], reading, now.either[i],
                  trie.added[now.node[i]] + finish(scorer, trie.state[now.node[i]], reading))
                 for i in range(size)
                 for reading in range(readings(scorer, trie.state[now.node[i]], BLANK))]
        return trie.parent, trie.unit, trie.reading, ended

    return search


_cached = _searcher(cache=True)
_uncached = _searcher(cache=False)


def beam_search(log_posteriors: np.ndarray, width: int, threshold: float = np.inf,
                min_posterior: float = 0.0, sure_blank: float = np.inf, scorer: Any = NO_SCORER
                ) -> Iterator[Labelling]:
    """The labellings left in the beam, best first.

    Parameters
    ----------
    log_posteriors : np.ndarray, shape = (T, V), float32
        Natural log; unit 0 is the blank.
    width : int
        Number of prefixes kept from frame to frame.
    threshold : float
        A prefix this many nats or more below the best one is dropped.
    min_posterior : float
        Units below this posterior start no new prefix in that frame, the best unit excepted.
    sure_blank : float
        In a frame whose blank has at least this posterior nothing else is considered.
    scorer : NamedTuple
        See `asr.decode.scorer`.

    Yields
    ------
    Labelling
        At full width and without pruning each score is exact; that of one which may not end
        there is -inf. None at all where the scorer forbids every labelling.
    """
    least = float(np.log(min_posterior)) if min_posterior > 0 else -np.inf
    limits = _Limits(width, float(threshold), least, float(np.log(sure_blank)))
    # The cache file names the scorers' classes; a process that can't import one can't read it.
    search = _cached if type(scorer).__module__.startswith("asr.") else _uncached
    parent, unit, reading, ended = search(log_posteriors, limits, scorer)
    for node, last, acoustic, added in sorted(ended, key=lambda end: -(end[2] + end[3])):
        nodes = []
        while node != _ROOT:
            nodes.append(node)
            node = parent[node]
        nodes.reverse()
        yield Labelling(unit[nodes], np.append(reading[nodes], np.int32(last)), acoustic, added)
