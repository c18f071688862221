import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.train import crf_loop
from asr.train.crf import Denominator, Trigrams, occupancies
from asr.train.crf_loop import States
from asr.train.ctc import ctc_loss
from tests.lm.kneser_ney_reference import Reference

CPU = torch.device("cpu")


def transcripts(units, seed, utterances=30):
    random = np.random.default_rng(seed)
    return [random.integers(1, units, random.integers(0, 6)).tolist() for _ in range(utterances)]


def trigrams(units, seed):
    return Trigrams.of(transcripts(units, seed), units)


def dense(potentials, lengths, model):
    return occupancies(potentials, lengths, torch.from_numpy(model.probability))


def sparse(potentials, lengths, model):
    return crf_loop.occupancies(potentials, lengths, States.of(*model))


BOTH = pytest.mark.parametrize("find", [dense, sparse])


def material(lengths, units, seed, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    x = sharpness * torch.randn(max(lengths), len(lengths), units, generator=generator)
    return x.log_softmax(2), torch.tensor(lengths)


def text_probability(model, labels):
    spelt = [0, 0, *labels, 0]
    return math.prod(float(model.probability[a, b, c])
                     for a, b, c in zip(spelt, spelt[1:], spelt[2:], strict=False))


@pytest.mark.parametrize("seed", range(3))
def test_trigrams_are_the_ones_that_modified_kneser_ney_defines(seed):
    units = 5
    rows = transcripts(units, seed, 60)
    model = Trigrams.of(rows, units)
    reference = Reference([[*map(str, row)] for row in rows], range(units - 2), 3)
    for a, b in itertools.product(range(units), repeat=2):
        if b == 0 and a:
            continue  # an utterance begins but once
        history = [*(str(a) if a else "<s>",) * (b > 0), str(b) if b else "<s>"]
        for c in range(units):
            assert model.probability[a, b, c] == pytest.approx(
                reference.probability(str(c) if c else "</s>", history), rel=1e-5)
    np.testing.assert_allclose(model.probability.sum(2), 1, rtol=1e-5)


@BOTH
@pytest.mark.parametrize("seed", range(4))
def test_the_denominator_is_the_sum_over_all_paths(find, seed):
    units, lengths = 3, [6, 3, 1]
    model = trigrams(units, seed)
    potentials, n = material(lengths, units, seed)
    log_z, occupancy = find(potentials, n, model)
    for row, frames in enumerate(lengths):
        total, expected = 0.0, np.zeros((max(lengths), units))
        for path in itertools.product(range(units), repeat=frames):
            labels = [unit for unit, _ in itertools.groupby(path) if unit]
            weight = text_probability(model, labels) * math.exp(
                sum(float(potentials[t, row, unit]) for t, unit in enumerate(path)))
            total += weight
            for t, unit in enumerate(path):
                expected[t, unit] += weight
        assert float(log_z[row]) == pytest.approx(math.log(total), rel=1e-5)
        np.testing.assert_allclose(occupancy[:, row].numpy(), expected / total, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5), units=st.integers(2, 9),
       seed=st.integers(0, 99))
def test_both_ways_to_find_it_agree(lengths, units, seed):
    model = trigrams(units, seed)
    potentials, n = material(lengths, units, seed)
    for one, other in zip(dense(potentials, n, model), sparse(potentials, n, model), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 4])
def test_the_probabilities_of_all_texts_sum_to_one(frames):
    units = 3
    denominator = Denominator(trigrams(units, 1), CPU)
    potentials, n = material([frames], units, 0)
    total = 0.0
    for length in range(frames + 1):
        for labels in itertools.product(range(1, units), repeat=length):
            given_labels = torch.tensor(labels, dtype=torch.long), n, torch.tensor([length])
            total += math.exp(-float(ctc_loss(potentials, *given_labels)
                                     + denominator(potentials, *given_labels)))
    assert total == pytest.approx(1, rel=1e-5)


def test_the_gradient_is_the_losss():
    units = 4
    denominator = Denominator(trigrams(units, 2), CPU)
    potentials, n = material([7, 4], units, 3)
    labels = torch.tensor([1, 1, 3, 2]), n, torch.tensor([3, 1])
    potentials.requires_grad_()
    (2 * denominator(potentials, *labels)).backward()
    for place in ((0, 0, 0), (3, 0, 1), (6, 0, 2), (2, 1, 3), (5, 1, 1)):
        values = []
        for sign in (1, -1):
            moved = potentials.detach().clone()
            moved[place] += sign * 1e-2
            values.append(float(denominator(moved, *labels)))
        assert float(potentials.grad[place]) == pytest.approx(
            2 * (values[0] - values[1]) / 2e-2, abs=2e-3)


@BOTH
def test_what_is_past_an_utterance_changes_nothing(find):
    model = trigrams(5, 0)
    potentials, n = material([9, 4], 5, 1)
    log_z, occupancy = find(potentials, n, model)
    potentials[4:, 1] = torch.nan
    again, same = find(potentials, n, model)
    assert torch.equal(log_z, again)
    assert torch.equal(occupancy, same)
    assert not occupancy[4:, 1].any()


@BOTH
@pytest.mark.parametrize("sharpness", [0.1, 30])
def test_long_utterances_stay_in_range(find, sharpness):
    potentials, n = material([1200, 700], 6, 2, sharpness)
    log_z, occupancy = find(potentials, n, trigrams(6, 0))
    assert log_z.isfinite().all()
    for row, length in enumerate(n):
        torch.testing.assert_close(occupancy[:length, row].sum(1), torch.ones(int(length)),
                                   rtol=0, atol=1e-3)


def test_only_trigrams_that_were_seen_take_time():
    model = Trigrams.of([[1, 2, 3], [1, 2, 4]] * 5, 50)
    states = States.of(*model)
    assert len(states.unit) < 50 + 10
    assert len(states.longer.weight) < 50 * 49 + 10


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_is_the_processors_with_the_same_bits_each_time():
    model = trigrams(40, 0)
    potentials, n = material(list(range(200, 320, 10)), 40, 0)
    labels = torch.randint(1, 40, (12 * 60,), generator=torch.Generator().manual_seed(0))
    found = []
    for device in ("cpu", "cuda", "cuda", "cuda"):
        own = potentials.to(device, copy=True).requires_grad_()
        loss = Denominator(model, torch.device(device))(own, labels, n, torch.full((12,), 60))
        loss.backward()
        found.append((loss.detach().cpu(), own.grad.cpu()))
    for one, other in zip(found[0], found[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)
    for again in found[2:]:
        assert all(map(torch.equal, found[1], again))
