"""Forced alignment beside torchaudio's, an independent implementation of the same search."""

import warnings

import numpy as np
import pytest
import torch
import torchaudio
from ctc_reference import random_posteriors
from hypothesis import given
from hypothesis import strategies as st

from asr.decode.alignment import align
from asr.text.units import frames_needed


def score_of(log_posteriors, units):
    return log_posteriors.astype(float)[np.arange(len(units)), units].sum()


@given(st.integers(0, 10**6), st.integers(1, 120), st.sampled_from([2, 3, 5, 30]),
       st.floats(0.05, 1), st.sampled_from([0.3, 2.0, 8.0]))
def test_equals_torchaudio(seed, frames, symbols, density, spread):
    """Continuous random posteriors have one best path, but for rounding."""
    log_posteriors = random_posteriors(seed, frames, symbols, spread)
    labels = np.random.default_rng(seed).integers(1, symbols, max(1, round(density * frames)))
    labels = labels.astype(np.int32)
    if frames_needed(labels.tolist()) > frames:
        with pytest.raises(ValueError, match="no path"):
            align(log_posteriors, labels)
        return
    path = align(log_posteriors, labels, memory=1)
    units = np.where(path < 0, 0, labels[path])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, with nothing in its place
        theirs = torchaudio.functional.forced_align(
            torch.from_numpy(log_posteriors)[None], torch.from_numpy(labels)[None], blank=0
        )[0][0].numpy()
    assert score_of(log_posteriors, units) == pytest.approx(
        score_of(log_posteriors, theirs), rel=1e-5)
    # Theirs adds in float32: where it errs, ours is the better path by less than that.
    assert (units.tolist() == theirs.tolist()
            or 0 <= score_of(log_posteriors, units) - score_of(log_posteriors, theirs) < 1e-3)
