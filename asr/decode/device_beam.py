"""The search of `asr.decode.beam` in tensor operations, for posteriors that are on a GPU.

N utterances, S steps, K prefixes each (the width), V units. A step is a frame that is searched;
all utterances take it together, and nothing in it waits for the device. Its candidates are
numbered: 0 to K - 1 are the prefixes of the beam as they stay, K + V·i + u is prefix i with unit u.
That is the order in which `asr.decode.beam` breaks ties, and so does this search; but where scores
differ in their last bits (sums are made in another order, exp and log are another library's), a
tie there may be none here. Scores are float64, whatever the posteriors are.

A prefix that is lost and found again must know its children that are still in the beam, and they
it. So prefixes are compared by value, by a 64-bit key: the exclusive or of a random word for each
of their (place, unit) pairs (Zobrist 1970). Two that differ have the same key with probability
2^-64; with K² comparisons a step, an utterance of 1000 steps at width 100 meets one such pair
with probability 10^-12, and would then credit a prefix with the paths of a wrong parent.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.decode.beam import Labelling
from asr.decode.device_scorer import DeviceScorer, NullDeviceScorer
from asr.text.units import BLANK


class _Steps(NamedTuple):
    """The frames that are searched, packed to the front.

    An utterance that has fewer than S ends in certain blanks, which change nothing.
    """

    blank: Tensor
    """Log posterior, shape = (S, N, 1)."""
    unit: Tensor
    """Log posteriors, shape = (S, N, V); -inf for the blank."""
    start: Tensor
    """The same; -inf also for units that may start no prefix."""
    paused: Tensor
    """Whether frames of a sure blank were left out just before, shape = (S, N, 1), bool."""
    skipped: Tensor
    """Log probability of all frames left out, the same for every prefix; shape = (N, 1)."""
    word: Tensor
    """Random bits of each (place, unit) for keys, shape = (S, V), int64; 0 for the blank, so that
    a prefix that stays keeps its key."""


class _Beam(NamedTuple):
    """Prefixes under consideration; each tensor of shape (N, K).

    Empty places are behind the others. They have no mass and their last unit is the blank, whose
    -inf in `_Steps.unit` keeps it so.
    """

    blank: Tensor
    """Log probability of the paths that end in blank,"""
    label: Tensor
    """in the last unit,"""
    either: Tensor
    """and their sum."""
    last: Tensor
    """The last unit; the blank for the empty prefix."""
    length: Tensor
    key: Tensor
    """See above."""
    parent_key: Tensor
    state: Tensor
    """The scorer's."""
    added: Tensor
    """Log score by the scorer."""


def _steps(rows: Tensor, lengths: Tensor, min_posterior: float, sure_blank: float) -> _Steps:
    """Prepare padded posteriors of shape (T, N, V)."""
    rows = rows.double()
    inside = torch.arange(len(rows), device=rows.device)[:, None] < lengths
    pause = inside & (rows[:, :, BLANK] >= math.log(sure_blank))
    searched = inside & ~pause
    number = searched.sum(0)
    frame = (~searched).to(torch.uint8).argsort(dim=0, stable=True)[:int(number.max())]
    skipped = torch.where(pause, rows[:, :, BLANK], 0.0).sum(0)
    paused = torch.cat([torch.zeros_like(pause[:1]), pause[:-1]]).gather(0, frame)
    rows = rows.gather(0, frame[:, :, None].expand(-1, -1, rows.shape[2]))
    real = (torch.arange(len(frame), device=rows.device)[:, None] < number)[:, :, None]
    blank = torch.where(real, rows[:, :, BLANK:BLANK + 1], 0.0)
    least = rows.amax(2, keepdim=True).clamp(
        max=math.log(min_posterior) if min_posterior > 0 else -math.inf)
    unit = torch.where(real, rows, -math.inf)
    unit[:, :, BLANK] = -math.inf
    start = torch.where(unit >= least, unit, -math.inf)
    word = torch.randint(-2 ** 63, 2 ** 63 - 1, (len(frame), rows.shape[2]), device=rows.device,
                         generator=torch.Generator(rows.device).manual_seed(0))
    word[:, BLANK] = 0
    return _Steps(blank, unit, start, paused[:, :, None], skipped[:, None], word)


def _first_beam(utterances: int, width: int, start: int, device: torch.device) -> _Beam:
    """The empty prefix alone. It counts as its own parent, which its last unit makes harmless."""
    blank = torch.full((utterances, width), -math.inf, dtype=torch.float64, device=device)
    zero = torch.zeros((utterances, width), dtype=torch.int64, device=device)
    label = blank.clone()
    blank[:, 0] = 0.0
    return _Beam(blank, label, blank, zero, zero, zero, zero, zero + start,
                 torch.zeros_like(blank))


def _candidates(beam: _Beam, blank_row: Tensor, unit_row: Tensor, start_row: Tensor
                ) -> tuple[Tensor, Tensor]:
    """Log probabilities of the paths of all candidates: in blank, (N, K), and not, (N, K + K·V)."""
    # The place of each prefix's parent, the first of equals: not an empty one that looks like it.
    found, parent = (beam.parent_key[:, :, None] == beam.key[:, None, :]).byte().max(2)
    orphan = found == 0
    # A unit that repeats the parent's last one counts as another only after a blank.
    mass = torch.where(beam.last.gather(1, parent) == beam.last, beam.blank.gather(1, parent),
                       beam.either.gather(1, parent))
    mass.masked_fill_(orphan, -math.inf)
    stay = torch.logaddexp(beam.label, mass) + unit_row.gather(1, beam.last)
    extend = beam.either[:, :, None] + start_row[:, None, :]
    repeat = beam.blank + start_row.gather(1, beam.last)
    extend.scatter_(2, beam.last[:, :, None], repeat[:, :, None])
    # One that is in the beam has got its paths in `stay`; candidate (0, blank) is none anyway.
    extend = extend.flatten(1)
    there = parent * start_row.shape[1] + beam.last
    extend.scatter_(1, there.masked_fill_(orphan, 0), -math.inf)
    return beam.either + blank_row, torch.cat([stay, extend], 1)


def _select(totals: Tensor, ranks: Tensor, threshold: float) -> Tensor:
    """The best candidates, if near the best, in their order; shape (N, K).

    Of those that tie for the last places the first are taken. Where there are too few, the rest is
    a candidate that has no mass: the first prefix with a blank.

    Parameters
    ----------
    totals : Tensor, shape = (N, K + K·V), float64
    ranks : Tensor, shape = (N, K), int64
        1 to K in each row.
    """
    width = ranks.shape[1]
    best = totals.topk(width).values
    edge = best[:, -1:]
    above = (best > edge).sum(1, keepdim=True)
    tied = totals == edge
    kept = (totals > edge) | (tied & (tied.cumsum(1) <= width - above))
    kept &= totals > best[:, :1] - threshold
    chosen = torch.searchsorted(kept.cumsum(1), ranks)
    return chosen.masked_fill_(chosen == totals.shape[1], width)


def _search(steps: _Steps, width: int, threshold: float, scorer: DeviceScorer
            ) -> tuple[Tensor, Tensor, Tensor]:
    """The chosen candidates, (S, N, K), and acoustic and added score of the last ones, (N, K)."""
    number, utterances, symbols = steps.unit.shape
    device = steps.unit.device
    beam = _first_beam(utterances, width, scorer.start, device)
    history = torch.empty((number, utterances, width), dtype=torch.int32, device=device)
    place, unit = torch.arange(width, device=device), torch.arange(symbols, device=device)
    source_of = torch.cat([place, place.repeat_interleave(symbols)])
    unit_of = torch.cat([torch.full_like(place, BLANK), unit.repeat(width)])
    ranks = (place + 1).repeat(utterances, 1)
    for t in range(number):
        paused = steps.paused[t]
        beam = beam._replace(
            blank=torch.where(paused, beam.either, beam.blank),
            label=beam.label.masked_fill(paused, -math.inf))
        blank, label = _candidates(beam, steps.blank[t], steps.unit[t], steps.start[t])
        state, gain = scorer.advance(beam.state)
        state = torch.cat([beam.state, state.expand(-1, -1, symbols).flatten(1)], 1)
        added = (beam.added[:, :, None] + gain).expand(-1, -1, symbols).flatten(1)
        added = torch.cat([beam.added, added], 1)
        either = torch.cat([torch.logaddexp(blank, label[:, :width]), label[:, width:]], 1)
        chosen = _select(either + added, ranks, threshold)
        history[t] = chosen
        source, unit, stays = source_of[chosen], unit_of[chosen], chosen < width
        length, key = beam.length.gather(1, source), beam.key.gather(1, source)
        beam = _Beam(
            blank=blank.gather(1, source).masked_fill_(~stays, -math.inf),
            label=label.gather(1, chosen),
            either=either.gather(1, chosen),
            last=torch.where(stays, beam.last.gather(1, source), unit),
            length=length + ~stays,
            key=key ^ steps.word[length, unit],
            parent_key=torch.where(stays, beam.parent_key.gather(1, source), key),
            state=state.gather(1, chosen),
            added=added.gather(1, chosen))
    return history, beam.either + steps.skipped, beam.added + scorer.finish(beam.state)


def _units(history: np.ndarray, symbols: int) -> np.ndarray:
    """The unit that each final prefix got in each step, the blank where none; shape (S, N, K)."""
    width = history.shape[2]
    source = np.where(history < width, history, (history - width) // symbols)
    unit = np.where(history < width, BLANK, (history - width) % symbols)
    place = np.broadcast_to(np.arange(width), history.shape[1:])
    found = np.empty_like(history)
    for t in range(len(history) - 1, -1, -1):
        found[t] = np.take_along_axis(unit[t], place, 1)
        place = np.take_along_axis(source[t], place, 1)
    return found


@torch.inference_mode()
def device_beam_search(log_posteriors: Sequence[Tensor], width: int, threshold: float = math.inf,
                       min_posterior: float = 0.0, sure_blank: float = math.inf,
                       scorer: DeviceScorer | None = None) -> list[list[Labelling]]:
    """`asr.decode.beam.beam_search` of a batch, on the device where its posteriors are.

    Parameters
    ----------
    log_posteriors : sequence of N Tensor, shape = (T, V) each, float
        Natural log; unit 0 is the blank. All on one device, N at least 1.
    width, threshold, min_posterior, sure_blank
        See `beam_search`.
    scorer : DeviceScorer, optional
        On the same device, see `asr.decode.device_scorer`; none by default.

    Returns
    -------
    list of N lists of Labelling
        Best first; equal to what `beam_search` finds for each alone, but for rounding.
    """
    lengths = torch.tensor([len(rows) for rows in log_posteriors], device=log_posteriors[0].device)
    steps = _steps(pad_sequence(list(log_posteriors)), lengths, min_posterior, sure_blank)
    history, acoustic, added = (
        each.cpu().numpy() for each in _search(steps, width, threshold,
                                               scorer or NullDeviceScorer()))
    units = _units(history, steps.unit.shape[2])
    order = np.argsort(-(acoustic + added), axis=1, kind="stable")
    return [[_labelling(units[:, n, k], acoustic[n, k], added[n, k])
             for k in order[n] if acoustic[n, k] > -math.inf] for n in range(len(order))]


def _labelling(units: np.ndarray, acoustic: float, added: float) -> Labelling:
    labels = units[units != BLANK]
    return Labelling(labels, np.zeros(len(labels) + 1, np.int32), float(acoustic), float(added))
