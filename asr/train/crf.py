"""CTC-CRF: a model of units in the loss, as there is one in the search.

CTC takes frames to be independent of each other, so the network learns by itself which units
follow each other, and a search with a language model counts that twice. Here a path has the weight
p(l) Π_t exp(x_t), with the units l that it spells and their trigram probability p, and the loss of
an utterance is -log of its labels' share in the weight of all paths, whatever they spell (Xiang and
Ou 2019, CRF-based single-stage acoustic modeling with CTC topology, section 3).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, UNKNOWN
from asr.model.frame_batch import moved
from asr.text.units import BLANK
from asr.train import crf_loop
from asr.train.ctc import with_gradient


class Trigrams(NamedTuple):
    """Probabilities of units after pairs of units, float32.

    In the place of the blank, which none of them is, stand the start of an utterance, which may
    have been before, and its end, which may be next.
    """

    probability: np.ndarray
    """p(c | a, b), shape = (V, V, V)."""
    lower: np.ndarray
    """p(c | b), shape = (V, V)."""
    back_off: np.ndarray
    """Weight of p(c | b) where no trigram (a, b, c) was seen, shape = (V, V)."""

    @classmethod
    def of(cls, labels: Sequence[Sequence[int]], units: int) -> "Trigrams":
        """Interpolated modified Kneser-Ney estimates from the labels of a training set."""
        words = len(SPECIAL) + units - 2
        # Of each unit; nothing is unknown.
        number = np.array([-1, UNKNOWN, *range(len(SPECIAL), words)], np.int32)
        tokens = np.concatenate([part for row in labels
                                 for part in ([START], number[row], [END])], dtype=np.int32)
        counted = count_ngrams(tokens, words, 3)
        one, two, three = estimate(counted, (0, 0, 0)).levels()
        lower = np.exp(one.log_prob + one.back_off[:, None])
        lower[two.parent, two.word] = np.exp(two.log_prob)
        back_off = np.ones_like(lower)
        back_off[two.parent, two.word] = np.exp(two.back_off)
        probability = back_off[:, :, None] * lower
        probability[two.parent[three.parent], two.word[three.parent], three.word] = \
            np.exp(three.log_prob)
        before, after = ([word, *number[1:]] for word in (START, END))
        return cls(probability[np.ix_(before, before, after)], lower[np.ix_(before, after)],
                   back_off[np.ix_(before, before)])

    def log_probs(self, labels: Tensor, label_lengths: Tensor) -> Tensor:
        """Of each utterance's labels and its end; shape (N,), nats."""
        spelt = [F.pad(row, (2, 1), value=BLANK).numpy()
                 for row in labels.split(label_lengths.tolist())]
        return torch.tensor([np.log(self.probability[row[:-2], row[1:-1], row[2:]]).sum()
                             for row in spelt])


class Denominator:
    """What all that could have been said adds to the loss.

    Parameters
    ----------
    trigrams : Trigrams
    device : torch.device
        Where the network is.
    """

    def __init__(self, trigrams: Trigrams, device: torch.device) -> None:
        self.trigrams = trigrams
        self.states = crf_loop.States.of(*trigrams)
        self.probability = torch.from_numpy(trigrams.probability).to(device)

    def __call__(self, potentials: Tensor, labels: Tensor, lengths: Tensor,
                 label_lengths: Tensor) -> Tensor:
        """log Z(x) - log p(l), summed over the utterances of a batch.

        The CTC loss with this much more is the loss of CTC-CRF.

        Parameters
        ----------
        potentials : Tensor, shape = (T, N, V), float32
            The network's log posteriors; frames past an utterance's length are not looked at.
        labels, lengths, label_lengths : Tensor
            As in `asr.train.ctc.ctc_loss`.

        Returns
        -------
        Tensor, shape = ()
            Nats.
        """
        x = potentials.detach()
        if x.device.type == "cpu":
            log_z, occupancy = crf_loop.occupancies(x, lengths, self.states)
        else:
            log_z, occupancy = occupancies(x, lengths, self.probability)
        log_probs = self.trigrams.log_probs(labels, label_lengths)
        return with_gradient(potentials, log_z.sum() - log_probs.sum(), occupancy)


def occupancies(potentials: Tensor, lengths: Tensor, probability: Tensor
                ) -> tuple[Tensor, Tensor]:
    """log Z of each utterance, and how probable each unit is in each frame, whatever is said.

    A state is a pair of units, and whether there was a blank since. Their weights are relative to
    the sum of the frame before, so that they stay in range. All sums are products of matrices or
    go over an axis: they have one order. For GPUs; on a CPU `asr.train.crf_loop` leaves out the
    trigrams that are none of their own.

    Parameters
    ----------
    potentials : Tensor, shape = (T, N, V), float32
    lengths : Tensor, shape = (N,), int64, on the CPU
    probability : Tensor, shape = (V, V, V)
        p(c | a, b), see `Trigrams`.

    Returns
    -------
    log_z : Tensor, shape = (N,)
    occupancy : Tensor, shape = (T, N, V)
        Sums to 1 over the units of a frame, 0 past an utterance's length; the gradient of log Z.
    """
    frames, size, units = potentials.shape
    n = moved(lengths, potentials.device)
    last = n - 1
    there = torch.arange(frames, device=n.device)[:, None] < n
    top = potentials.amax(2).masked_fill(~there, 0)
    weights = torch.where(there[..., None], potentials - top[..., None], 0).exp()
    weights = weights.transpose(1, 2)[..., None].contiguous()  # (T, V, N, 1)

    # States are [b, n, a] for a pair (a, b): products of matrices, one for each b.
    given = probability.transpose(0, 1)  # [b, a, c]
    end = given[:, None, :, BLANK]
    diagonal = torch.arange(units, device=n.device)
    again = given[diagonal, :, diagonal][:, None]  # p(b | a, b), for b only with a blank between
    given = given.clone()
    given[:, :, BLANK] = 0
    given[diagonal, :, diagonal] = 0
    again[BLANK] = 0

    alpha_label = potentials.new_zeros(frames + 1, units, size, units)
    alpha_blank = torch.zeros_like(alpha_label)
    alpha_blank[0, BLANK, :, BLANK] = 1
    total = potentials.new_ones(frames + 1, size)
    for t in range(frames):
        weights[t] /= total[t, :, None]
        both = alpha_label[t] + alpha_blank[t]
        longer = torch.bmm(both, given)
        longer[diagonal, :, diagonal] = (alpha_blank[t] * again).sum(2)
        torch.mul(longer.permute(2, 1, 0) + alpha_label[t], weights[t], out=alpha_label[t + 1])
        torch.mul(both, weights[t, BLANK], out=alpha_blank[t + 1])
        total[t + 1] = alpha_label[t + 1].sum((0, 2)) + alpha_blank[t + 1].sum((0, 2))
    alpha_label, alpha_blank = alpha_label[1:], alpha_blank[1:]
    utterance = torch.arange(size, device=n.device)
    ending = alpha_label[last, :, utterance] + alpha_blank[last, :, utterance]
    ending = (ending * end[:, 0]).sum((1, 2))
    log_z = top.sum(0) + ending.log() + torch.where(there[1:], total[1:-1].log(), 0).sum(0)

    occupancy = torch.zeros_like(potentials)
    at_end = end / ending[:, None]
    beta_label = torch.zeros_like(alpha_label[0])
    beta_blank = torch.zeros_like(beta_label)
    given = given.transpose(1, 2).contiguous()
    for t in range(frames - 1, -1, -1):
        ends = (last == t)[:, None]
        beta_label = torch.where(ends, at_end, beta_label)
        beta_blank = torch.where(ends, at_end, beta_blank)
        occupancy[t] = (alpha_label[t] * beta_label).sum(2).T
        occupancy[t, :, BLANK] = (alpha_blank[t] * beta_blank).sum((0, 2))
        said = beta_label * weights[t]
        longer = torch.bmm(said.permute(2, 1, 0), given) + beta_blank * weights[t, BLANK]
        beta_blank = longer + again * said[diagonal, :, diagonal][..., None]
        beta_label = longer + said
    return log_z, occupancy
