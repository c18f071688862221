"""CTC prefix beam search in log space (Hannun et al. 2014, algorithm 1; Graves 2012, section 7.5).

A prefix is a node of a trie. While it is in the beam it carries the log probability of all
paths so far that spell it and end in blank, and of those that end in its last unit; a scorer
(see `asr.decode.scorer`) adds its own log score to the two's sum. Where the scorer has several
readings of a prefix (words that sound alike), each is a node, with the same paths.

Ties: of prefixes with equal scores those that have been in the beam longer stay, and of those
that would join, first the ones whose parent has been there longer, then the lower unit.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from asr.decode.arithmetic import add_logs, kth_largest
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


# A node of the trie: a prefix that the scorer has been asked about.
_NODE = np.dtype([
    ("parent", np.int32), ("unit", np.int32),
    ("reading", np.int32),  # those of one unit lie side by side, from 0 on
    ("child", np.int32), ("sibling", np.int32),  # the latest child; older ones follow by sibling
    ("slot", np.int32),  # where in the beam
    ("state", np.int64),  # the scorer's
    ("added", np.float64),  # log score by the scorer
])

# A prefix under consideration. The first elements of a beam are in use.
_PREFIX = np.dtype([
    ("node", np.int64),
    ("blank", np.float64),  # log probability of the paths that end in blank,
    ("label", np.float64),  # in the last unit,
    ("either", np.float64),  # and their sum
    ("total", np.float64),  # with the scorer's
])


@njit(nogil=True)
def _with_room(trie: np.ndarray, nodes: int, more: int) -> np.ndarray:
    """The trie, or a copy of its first `nodes` with place for many more."""
    if nodes + more <= len(trie):
        return trie
    larger = np.empty(2 * (nodes + more), _NODE)
    larger[:nodes] = trie[:nodes]
    return larger


@njit(nogil=True)
def _set_node(node: Any, parent: int, unit: int, reading: int, state: int, added: float) -> None:
    node.parent = parent
    node.unit = unit
    node.reading = reading
    node.child = _ROOT
    node.sibling = _ROOT
    node.slot = _OUT
    node.state = state
    node.added = added


@njit(nogil=True)
def _new_children(trie: np.ndarray, nodes: int, node: int, unit: int, number: int, scorer: Any
                  ) -> None:
    """Enter the readings, `number` of them, of a prefix with one more unit."""
    for reading in range(number):
        state, gain = advance(scorer, trie[node].state, unit, reading)
        _set_node(trie[nodes + reading], node, unit, reading, state, trie[node].added + gain)
    trie[nodes].sibling = trie[node].child
    trie[node].child = nodes


@njit(nogil=True)
def _put(prefix: Any, node: int, blank: float, label: float, added: float) -> None:
    prefix.node = node
    prefix.blank = blank
    prefix.label = label
    prefix.either = add_logs(blank, label)
    prefix.total = prefix.either + added


@njit(nogil=True)
def _stay(trie: np.ndarray, now: np.ndarray, size: int, row: np.ndarray, then: np.ndarray) -> None:
    """Keep each prefix: by a blank, by its last unit again, or by that unit after its parent."""
    for i in range(size):
        node = trie[now[i].node]
        label = -np.inf
        if now[i].node != _ROOT:
            label = now[i].label + row[node.unit]
            parent = trie[node.parent]
            if parent.slot != _OUT:
                # A unit that repeats the parent's last one counts as another only after a blank.
                other = now[parent.slot]
                mass = other.blank if parent.unit == node.unit else other.either
                label = add_logs(label, mass + row[node.unit])
        _put(then[i], now[i].node, now[i].either + row[BLANK], label, node.added)


@njit(nogil=True)
def _pause(trie: np.ndarray, now: np.ndarray, size: int, blank: float) -> None:
    """As `_stay`, where there is but the blank: so all of the beam survives, in its order."""
    for i in range(size):
        _put(now[i], now[i].node, now[i].either + blank, -np.inf, trie[now[i].node].added)


@njit(nogil=True)
def _cut(totals: np.ndarray, limits: _Limits) -> float:
    """The score that a prefix must exceed to be kept beside those."""
    return max(totals.max() - limits.threshold,
               totals.min() if len(totals) == limits.width else -np.inf)


@njit(nogil=True)
def _likely_units(row: np.ndarray, least: float, gap: float, ceilings: np.ndarray,
                  units: np.ndarray) -> int:
    """Fill `units` with those of a frame that may start a prefix; how many.

    Their log posterior is at least `least`, and with the most that the scorer can add to it exceeds
    `gap`.
    """
    count = 0
    for unit in range(BLANK + 1, len(row)):
        if row[unit] >= least and row[unit] + ceilings[unit] > gap:
            units[count] = unit
            count += 1
    return count


@njit(nogil=True)
def _extend(trie: np.ndarray, nodes: int, now: np.ndarray, size: int, row: np.ndarray,
            then: np.ndarray, limits: _Limits, units: np.ndarray, ceilings: np.ndarray,
            children: np.ndarray, spare: np.ndarray, scorer: Any) -> tuple[np.ndarray, int, int]:
    """Append to `then`, after the kept prefixes, those with one more unit that can survive.

    What can't get past `cut` will not survive, so the scorer is never asked about it; and about
    the others once, however many frames they try again in.
    """
    count = size
    cut = _cut(then["total"][:size], limits)
    tried = _likely_units(row, min(limits.log_posterior, row.max()),
                          cut - now["total"][:size].max(), ceilings, units)
    promise = -np.inf
    for unit in units[:tried]:
        promise = max(promise, row[unit] + ceilings[unit])
    for i in range(size):
        prefix = now[i]
        if prefix.total + promise <= cut:
            continue
        node = prefix.node
        # The first reading with each unit; what earlier prefixes have left there is not a child.
        child = trie[node].child
        while child != _ROOT:
            children[trie[child].unit] = child
            child = trie[child].sibling
        for unit in units[:tried]:
            if prefix.total + row[unit] + ceilings[unit] <= cut:
                continue
            acoustic = row[unit] + (prefix.blank if trie[node].unit == unit else prefix.either)
            child = children[unit]
            if child == _ROOT or trie[child].parent != node:
                if (acoustic + trie[node].added
                        + ceiling_from(scorer, trie[node].state, unit)) <= cut:
                    continue
                child = nodes
                number = readings(scorer, trie[node].state, unit)
                trie = _with_room(trie, nodes, number)
                _new_children(trie, nodes, node, unit, number, scorer)
                nodes += number
            reading = 0
            while child < nodes and trie[child].reading == reading:
                total = acoustic + trie[child].added
                # One that is in the beam has got its paths in `_stay`.
                if trie[child].slot == _OUT and total > cut:
                    if count == len(then):
                        count = _select(then, count, limits, spare)
                        cut = _cut(then["total"][:count], limits)
                    if total > cut:
                        _put(then[count], child, -np.inf, acoustic, trie[child].added)
                        count += 1
                child += 1
                reading += 1
    return trie, nodes, count


@njit(nogil=True)
def _select(beam: np.ndarray, count: int, limits: _Limits, spare: np.ndarray) -> int:
    """Move the best `width` of the first `count` prefixes, if near the best, up in their order."""
    totals = beam["total"][:count]
    floor = totals.max() - limits.threshold
    edge, at_edge = -np.inf, count
    if count > limits.width:
        spare[:count] = totals
        edge = kth_largest(spare[:count], limits.width)
        at_edge = limits.width - (totals > edge).sum()
    kept = 0
    for i in range(count):
        total = totals[i]
        if total <= floor or total < edge:
            continue
        if total == edge:
            if at_edge == 0:
                continue
            at_edge -= 1
        if kept < i:
            beam[kept] = beam[i]
        kept += 1
    return kept


@njit(nogil=True)
def _settle(trie: np.ndarray, now: np.ndarray, size: int, then: np.ndarray, count: int) -> None:
    """Note who is in the beam."""
    for i in range(size):
        trie[now[i].node].slot = _OUT
    for i in range(count):
        trie[then[i].node].slot = i


def _searcher(cache: bool) -> tuple[Callable, Callable]:
    """Compile what takes the search some frames further, and what ends it.

    numba's cache sees changes of this file alone, and of the constants of a function: hence `code`,
    a digest of all files whose functions are compiled into it.
    """
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(ngram.__file__)]
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    @njit(nogil=True, cache=cache)
    def go_on(log_posteriors: np.ndarray, trie: np.ndarray, nodes: int, now: np.ndarray, size: int,
              limits: _Limits, scorer: Any) -> tuple[np.ndarray, int, np.ndarray, int]:
        """The trie, its nodes in use, the beam after these frames, and its prefixes in use."""
        assert code
        frames, symbols = log_posteriors.shape
        trie = _with_room(trie, nodes, 4 * frames)
        then = np.empty(2 * limits.width, _PREFIX)
        units, spare = np.empty(symbols, np.int64), np.empty(2 * limits.width)
        children = np.full(symbols, _ROOT)
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
                                         ceilings, children, spare, scorer)
            count = _select(then, count, limits, spare)
            _settle(trie, now, size, then, count)
            now, then, size = then, now, count
        return trie, nodes, now, size

    @njit(nogil=True, cache=cache)
    def end(trie: np.ndarray, now: np.ndarray, size: int, scorer: Any) -> list[tuple]:
        """Each prefix in the beam with reading, acoustic and added score, if it ends there."""
        assert code
        return [(now[i].node, reading, now[i].either,
                 trie[now[i].node].added + finish(scorer, trie[now[i].node].state, reading))
                for i in range(size)
                for reading in range(readings(scorer, trie[now[i].node].state, BLANK))]

    return go_on, end


_cached = _searcher(cache=True)
_uncached = _searcher(cache=False)


class BeamSearch:
    """A search that takes an utterance's frames as they come; its parameters are `beam_search`'s.

    Into how many blocks the frames are cut changes nothing.
    """

    def __init__(self, width: int, threshold: float = np.inf, min_posterior: float = 0.0,
                 sure_blank: float = np.inf, scorer: Any = NO_SCORER) -> None:
        least = float(np.log(min_posterior)) if min_posterior > 0 else -np.inf
        self._limits = _Limits(width, float(threshold), least, float(np.log(sure_blank)))
        self._scorer = scorer
        # The cache file names the scorers' classes; a process that can't import one can't read it.
        self._go_on, self._end = (_cached if type(scorer).__module__.startswith("asr.")
                                  else _uncached)
        # The empty prefix, all of whose probability is that of blanks.
        self._trie = np.zeros(1, _NODE)
        self._trie["state"] = scorer.start
        self._beam = np.zeros(2 * width, _PREFIX)
        self._beam["label"] = -np.inf
        self._nodes = self._size = 1

    def push(self, log_posteriors: np.ndarray) -> None:
        """Go on by some frames, shape = (T, V), float32."""
        self._trie, self._nodes, self._beam, self._size = self._go_on(
            log_posteriors, self._trie, self._nodes, self._beam, self._size, self._limits,
            self._scorer)

    def labellings(self) -> Iterator[Labelling]:
        """Those left in the beam if the utterance ends here, best first."""
        ended = self._end(self._trie, self._beam, self._size, self._scorer)
        for node, last, acoustic, added in sorted(ended, key=lambda end: -(end[2] + end[3])):
            yield self._labelling(node, last, acoustic, added)

    def best(self) -> Labelling:
        """The best prefix so far, whatever comes; the empty one if the scorer forbids all."""
        if self._size == 0:
            return self._labelling(_ROOT, 0, -np.inf, 0.0)
        best = self._beam[self._beam["total"][:self._size].argmax()]
        return self._labelling(best["node"], 0, best["either"], self._trie["added"][best["node"]])

    def stable(self) -> int:
        """With how many units of `best` every labelling begins that the search can still find."""
        nodes = set(self._beam["node"][:self._size].tolist()) or {_ROOT}
        while len(nodes) > 1:  # a node's number is above its parent's
            latest = max(nodes)
            nodes = nodes - {latest} | {int(self._trie["parent"][latest])}
        return len(self._path(nodes.pop()))

    def _path(self, node: int) -> list[int]:
        """The nodes from the first unit to this one."""
        nodes = []
        while node != _ROOT:
            nodes.append(node)
            node = self._trie["parent"][node]
        return nodes[::-1]

    def _labelling(self, node: int, last: int, acoustic: float, added: float) -> Labelling:
        path = self._trie[self._path(node)]
        return Labelling(path["unit"], np.append(path["reading"], np.int32(last)), acoustic, added)


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
    search = BeamSearch(width, threshold, min_posterior, sure_blank, scorer)
    search.push(log_posteriors)
    return search.labellings()
