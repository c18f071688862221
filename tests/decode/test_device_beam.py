"""The search in tensors against the sum over all paths and against the compiled search."""

import math

import numpy as np
import pytest
import torch
from ctc_reference import all_labellings, peaky_posteriors, posteriors, random_posteriors
from hypothesis import given
from hypothesis import strategies as st
from test_character_lm import SYMBOLS, toy_model

from asr.decode.beam import beam_search
from asr.decode.character_lm import character_scorer
from asr.decode.device_beam import _search, _steps, device_beam_search
from asr.decode.device_scorer import device_scorer
from asr.decode.scorer import NO_SCORER

FULL = 400  # at least the labellings of 5 frames and 4 units: 1 + 3 + … + 3^5 = 364
CPU = torch.device("cpu")


def search(batch, width, *limits, scorer=NO_SCORER, device=CPU):
    """Of each utterance, labellings, acoustic and added scores, best first."""
    return [seen(found) for found in device_beam_search(
        [torch.from_numpy(rows).to(device) for rows in batch], width, *limits,
        scorer=device_scorer(scorer, device))]


def seen(found):
    labellings = list(found)
    scores = [each.score for each in labellings]
    assert scores == sorted(scores, reverse=True)
    for each in labellings:
        assert each.labels.dtype == each.readings.dtype == np.int32
        assert each.readings.tolist() == [0] * (len(each.labels) + 1)
    return [(each.labels.tolist(), each.acoustic, each.added) for each in labellings]


def assert_same(found, expected):
    assert [labels for labels, *_ in found] == [labels for labels, *_ in expected]
    assert [scores for _, *scores in found] == [pytest.approx(scores, abs=1e-9)
                                                for _, *scores in expected]


@given(st.lists(posteriors(symbols=4).map(lambda rows: rows[:5]), min_size=1, max_size=3))
def test_full_width_equals_the_sum_over_all_paths(batch):
    for log_posteriors, found in zip(batch, search(batch, FULL), strict=True):
        assert len(found) == len({tuple(labels) for labels, *_ in found})
        assert {tuple(labels): acoustic for labels, acoustic, _ in found} == pytest.approx(
            all_labellings(log_posteriors), abs=1e-9)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 30), min_size=1, max_size=4),
       st.integers(2, 6), st.integers(1, 9), st.tuples(
           st.sampled_from([math.inf, 3.0, 1.0]), st.sampled_from([0.0, 0.1, 0.3]),
           st.sampled_from([math.inf, 0.9, 0.5])))
def test_narrow_beams_equal_the_compiled_search(seed, lengths, symbols, width, limits):
    # Prefixes leave such beams and come back through their parents all the time.
    batch = [random_posteriors(seed + i, frames, symbols) for i, frames in enumerate(lengths)]
    for rows, found in zip(batch, search(batch, width, *limits), strict=True):
        assert_same(found, seen(beam_search(rows, width, *limits)))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 20), min_size=1, max_size=3),
       st.integers(0, 50), st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]),
       st.sampled_from([-1.5, 0.0, 2.0]), st.sampled_from([1, 3, 16]))
def test_character_models_score_as_in_the_compiled_search(seed, lengths, model, order, weight,
                                                         bonus, width):
    batch = [random_posteriors(seed + i, n, len(SYMBOLS)) for i, n in enumerate(lengths)]
    scorer = character_scorer(toy_model(model, order), SYMBOLS, weight, bonus)
    limits = (12.0, 0.01, 0.8)
    for rows, found in zip(batch, search(batch, width, *limits, scorer=scorer), strict=True):
        assert_same(found, seen(beam_search(rows, width, *limits, scorer=scorer)))


def test_peaky_posteriors_of_unequal_length():
    random = np.random.default_rng(1)
    batch = [peaky_posteriors(random.integers(1, 29, frames // 4).tolist(), frames, 29, frames)
             for frames in (180, 40, 120)]
    limits = (15.0, 1e-4, 0.999)
    together = search(batch, 16, *limits)
    for rows, found in zip(batch, together, strict=True):
        assert_same(found, seen(beam_search(rows, 16, *limits)))
        assert_same(found, search([rows], 16, *limits)[0])


@given(st.integers(0, 10**6), st.lists(st.integers(0, 20), min_size=2, max_size=5))
def test_an_utterance_gets_the_same_alone_and_in_any_batch(seed, lengths):
    batch = [random_posteriors(seed + i, frames, 4) for i, frames in enumerate(lengths)]
    alone = [search([rows], 5, 8.0, 0.01, 0.7)[0] for rows in batch]
    for found, expected in zip(search(batch, 5, 8.0, 0.01, 0.7), alone, strict=True):
        assert_same(found, expected)


def test_ties_go_to_who_is_there_longer_then_to_the_lower_unit():
    even = np.full((1, 5), np.log(0.2), np.float32)
    assert [labels for labels, *_ in search([even], 3)[0]] == [[], [1], [2]]
    # Two frames: (1,) has three paths and (2,) too, all else one or two; () stays before (1, 2).
    twice = np.repeat(even, 2, axis=0)
    assert [labels for labels, *_ in search([twice], 3)[0]] == [[1], [2], []]


@pytest.mark.parametrize("width", [1, 4])
def test_no_frames_and_no_units(width):
    nothing, one = np.zeros((0, 3), np.float32), random_posteriors(0, 1, 3)
    assert search([nothing, nothing], width) == [[([], 0.0, 0.0)]] * 2
    empty, single = search([nothing, one], width)
    assert empty == [([], 0.0, 0.0)]
    assert_same(single, seen(beam_search(one, width)))
    assert search([np.zeros((7, 1), np.float32)], width) == [[([], 0.0, 0.0)]]


@pytest.mark.parametrize("sure", [math.inf, 0.999])
def test_blanks_alone_and_other_certainties(sure):
    with np.errstate(divide="ignore"):
        batch = [np.log(np.eye(4, dtype=np.float32)[path])
                 for path in ([0] * 9, [1, 0, 1, 2, 2], [3])]
    assert search(batch, 8, math.inf, 0.0, sure) == [
        [([], 0.0, 0.0)], [([1, 1, 2], 0.0, 0.0)], [([3], 0.0, 0.0)]]


def test_the_best_unit_of_a_frame_is_never_pruned():
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0, 0.25, 0.25, 0.25, 0.25]], np.float32))
    assert [labels for labels, *_ in search([rows], 2, math.inf, 0.5)[0]] == [[1], [2]]


def test_what_the_padding_holds_does_not_matter():
    """Posteriors are padded with zeros, which would be a posterior of 1 for every unit."""
    short, long = random_posteriors(0, 3, 4), random_posteriors(1, 30, 4)
    assert_same(search([short, long], FULL)[0], seen(beam_search(short, FULL)))


def test_nothing_in_the_loop_waits_for_the_device():
    steps = _steps(torch.from_numpy(random_posteriors(0, 7, len(SYMBOLS)))[:, None],
                   torch.tensor([7]), 0.0, math.inf)
    scorer = device_scorer(character_scorer(toy_model(0, 3), SYMBOLS, 1.0, 0.0), CPU)
    with torch.autograd.profiler.profile() as profile:
        _search(steps, 3, math.inf, scorer)
    operations = {event.name for event in profile.function_events}
    assert {"aten::topk", "aten::searchsorted"} <= operations
    # `item` and its like, and what makes tensors of unforeseeable shape.
    assert not operations & {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_finds_what_the_cpu_finds():
    batch = [random_posteriors(frames, frames, len(SYMBOLS)) for frames in (50, 0, 21)]
    for scorer in (NO_SCORER, character_scorer(toy_model(0, 3), SYMBOLS, 0.5, 1.0)):
        options = {"scorer": scorer}
        there = search(batch, 8, 12.0, 0.01, 0.8, device=torch.device("cuda"), **options)
        for found, expected in zip(there, search(batch, 8, 12.0, 0.01, 0.8, **options),
                                   strict=True):
            assert_same(found, expected)
