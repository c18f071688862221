"""The denominator of CTC-CRF on a CPU: utterances side by side, over the trigrams that there are.

Of 79 phones 512,000 trigrams can be made and some 20,000 are in the transcripts of five hours. All
others are the bigram's probability times the back-off weight of the first two, so that the weights
of states that share their last unit are added up before; what trigrams have beyond that is a
sparse matrix.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from asr.parallel import ordered_map
from asr.text.units import BLANK
from asr.train.ctc_loop import compiled


class Sparse(NamedTuple):
    """A matrix, row by row."""

    first: np.ndarray
    """Where each row's entries begin, and where the last one's end; int32."""
    column: np.ndarray
    """int32."""
    weight: np.ndarray
    """float32."""

    @classmethod
    def of(cls, entries: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], rows: int
           ) -> "Sparse":
        """From rows, columns and weights."""
        row, column, weight = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        order = np.lexsort((column, row))
        first = np.searchsorted(row[order], np.arange(rows + 1))
        return cls(first.astype(np.int32), column[order].astype(np.int32),
                   weight[order].astype(np.float32))

    def transposed(self, rows: int) -> "Sparse":
        row = np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
        return Sparse.of([(self.column, row, self.weight)], rows)


class States(NamedTuple):
    """What was said last, as compiled code sees it.

    First come the states in which one unit is known, in the units' order, with the start of an
    utterance in the blank's place; then those of the pairs that trigrams are known of. A frame's
    inputs are the weights of all states, of all with a blank as what was heard last, and both once
    more by the last unit.
    """

    unit: np.ndarray
    """The last unit of each, int32."""
    end: np.ndarray
    """Probability that nothing follows, float32."""
    shorter: Sparse
    """From states to last units."""
    longer: Sparse
    """From inputs to states that end in the next unit."""
    shorter_back: Sparse
    longer_back: Sparse

    @classmethod
    def of(cls, probability: np.ndarray, lower: np.ndarray, back_off: np.ndarray) -> "States":
        """From `asr.train.crf.Trigrams`."""
        units = len(lower)
        more = probability - back_off[:, :, None] * lower  # 0 for trigrams that are not known
        a, b = np.nonzero(back_off != 1)
        n = units + len(a)
        unit = np.concatenate([np.arange(units), b])
        state = np.tile(np.arange(units), (units, 1))  # [a, b]
        state[a, b] = np.arange(units, n)
        end = np.concatenate([lower[:, BLANK], probability[a, b, BLANK]])

        def entries(place: np.ndarray, last: np.ndarray, after: np.ndarray, weight: np.ndarray,
                    blanks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """A unit after itself needs a blank between, so the inputs that are `blanks` later."""
            return state[last, after], place + np.where(after == last, blanks, 0), weight

        last, after = np.indices(lower.shape).reshape(2, -1)
        spoken = after != BLANK
        last, after = last[spoken], after[spoken]
        first, second, third = np.nonzero(more)
        known = third != BLANK
        first, second, third = first[known], second[known], third[known]
        longer = Sparse.of([
            entries(2 * n + last, last, after, lower[last, after], units),
            entries(state[first, second], second, third, more[first, second, third], n)], n)
        weight = np.concatenate([np.ones(units), back_off[a, b]])
        shorter = Sparse.of([(unit + by * units, np.arange(n) + by * n, weight)
                             for by in (0, 1)], 2 * units)
        return cls(unit.astype(np.int32), end.astype(np.float32), shorter, longer,
                   shorter.transposed(2 * n), longer.transposed(2 * n + 2 * units))


def occupancies(potentials: Tensor, lengths: Tensor, states: States) -> tuple[Tensor, Tensor]:
    """See `asr.train.crf.occupancies`."""
    occupancy = torch.zeros_like(potentials, memory_format=torch.contiguous_format)
    log_z = torch.empty(len(lengths))
    parts = np.array_split(np.arange(len(lengths)), min(torch.get_num_threads(), len(lengths)))
    x, n = potentials.numpy(), lengths.numpy()

    def one(part: np.ndarray) -> None:
        longest = n[part].max()
        log_z.numpy()[part], occupancy.numpy()[:longest, part] = _group(
            x[:longest, part], n[part], states)

    list(ordered_map(one, parts, len(parts)))
    return log_z, occupancy


def _group(potentials: np.ndarray, lengths: np.ndarray, states: States
           ) -> tuple[np.ndarray, np.ndarray]:
    there = np.arange(len(potentials))[:, None] < lengths
    top = np.where(there, potentials.max(2), 0)
    weights = np.exp(np.where(there[..., None], potentials - top[..., None], 0)).transpose(0, 2, 1)
    log_z, occupancy = _forward_backward(np.ascontiguousarray(weights), lengths, states)
    return log_z + top.sum(0), occupancy.transpose(0, 2, 1)


@compiled
def _add_product(matrix: Sparse, x: np.ndarray, out: np.ndarray) -> None:
    """Of a sparse matrix with x, shape = (columns, N)."""
    for row in range(len(out)):
        for entry in range(matrix.first[row], matrix.first[row + 1]):
            column, weight = matrix.column[entry], matrix.weight[entry]
            for k in range(x.shape[1]):
                out[row, k] += weight * x[column, k]


@compiled
def _emit(unit: np.ndarray, weights: np.ndarray, alpha_label: np.ndarray, alpha_blank: np.ndarray,
          both: np.ndarray, apart: np.ndarray, total: np.ndarray) -> None:
    """Weigh what has come to each state by its unit and by the blank, in which it stays."""
    for s in range(len(unit)):
        for k in range(len(total)):
            a = alpha_label[s, k] * weights[unit[s], k]
            b = both[s, k] * weights[BLANK, k]
            alpha_label[s, k] = a
            alpha_blank[s, k] = b
            apart[s, k] = b
            both[s, k] = a + b
            total[k] += a + b


@compiled
def _pass(unit: np.ndarray, weights: np.ndarray, alpha_label: np.ndarray, alpha_blank: np.ndarray,
          beta_label: np.ndarray, beta_blank: np.ndarray, occupancy: np.ndarray) -> None:
    """Add up what goes through each state; weigh what comes after it by its unit and the blank."""
    for s in range(len(unit)):
        for k in range(weights.shape[1]):
            occupancy[unit[s], k] += alpha_label[s, k] * beta_label[s, k]
            occupancy[BLANK, k] += alpha_blank[s, k] * beta_blank[s, k]
            beta_label[s, k] *= weights[unit[s], k]
            beta_blank[s, k] *= weights[BLANK, k]


@compiled
def _forward_backward(weights: np.ndarray, lengths: np.ndarray, states: States
               ) -> tuple[np.ndarray, np.ndarray]:
    """From weights, shape (T, V, N), relative to the likeliest unit's."""
    frames, units, size = weights.shape
    n = len(states.unit)
    inputs = np.zeros((2 * n + 2 * units, size), np.float32)
    both, apart, by_unit = inputs[:n], inputs[n:2 * n], inputs[2 * n:]
    both[BLANK] = 1
    apart[BLANK] = 1
    alpha_label = np.zeros((frames, n, size), np.float32)
    alpha_blank = np.empty((frames, n, size), np.float32)
    total = np.ones(size, np.float32)
    log_z = np.zeros(size)
    ending = np.zeros(size, np.float32)
    for t in range(frames):
        weights[t] /= total
        total[:] = 0
        by_unit[:] = 0
        _add_product(states.shorter, inputs[:2 * n], by_unit)
        if t:
            alpha_label[t] = alpha_label[t - 1]
        _add_product(states.longer, inputs, alpha_label[t])
        _emit(states.unit, weights[t], alpha_label[t], alpha_blank[t], both, apart, total)
        for k in range(size):
            if t < lengths[k] - 1:
                log_z[k] += np.log(total[k])
            elif t == lengths[k] - 1:
                for s in range(n):
                    ending[k] += both[s, k] * states.end[s]
                log_z[k] += np.log(ending[k])

    occupancy = np.zeros((frames, units, size), np.float32)
    beta_label = np.zeros((n, size), np.float32)
    beta_blank = np.zeros((n, size), np.float32)
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            if t == lengths[k] - 1:
                for s in range(n):
                    beta_label[s, k] = beta_blank[s, k] = states.end[s] / ending[k]
        _pass(states.unit, weights[t], alpha_label[t], alpha_blank[t], beta_label, beta_blank,
              occupancy[t])
        inputs[:] = 0
        _add_product(states.longer_back, beta_label, inputs)
        _add_product(states.shorter_back, by_unit, inputs[:2 * n])
        both += beta_blank
        beta_label += both
        beta_blank[:] = both + apart
    return log_z, occupancy
