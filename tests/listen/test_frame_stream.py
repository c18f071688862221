import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.listen.frame_stream import FrameStream

CONFIGS = [FeatureConfig(), FeatureConfig(kind="mfcc", mels=23, deltas=2),
           FeatureConfig(deltas=1, dither=0), FeatureConfig(sample_rate=11_025, mels=23),
           FeatureConfig(frame_length=0.01, frame_shift=0.025, mels=12, deltas=1)]


def recording(samples):
    random = np.random.default_rng(samples)
    loudness = np.abs(np.sin(np.arange(samples) / 900))
    return (0.1 * loudness * random.standard_normal(samples)).astype(np.float32)


def streamed(samples, edges, config):
    stream = FrameStream(config)
    frames = [stream.push(block) for block in np.split(samples, sorted(edges))]
    return np.concatenate([*frames, stream.finish()])


@given(st.sampled_from(CONFIGS), st.integers(0, 9_000), st.lists(st.integers(0, 9_000), max_size=8))
@settings(max_examples=60)
def test_blocks_of_any_size_give_the_frames_of_the_whole(config, length, edges):
    samples = recording(length)
    expected = extract(samples, config)
    found = streamed(samples, edges, config)
    assert found.dtype == np.float16
    assert found.shape == expected.shape == (config.frames(length), config.dimension)
    # One step of half precision: sums of other shapes may be rounded otherwise.
    np.testing.assert_allclose(found, expected, rtol=1.1e-3, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
def test_single_samples(config):
    samples = recording(900)
    np.testing.assert_allclose(streamed(samples, range(1, 900), config), extract(samples, config),
                               rtol=1.1e-3, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_frame_comes_with_the_last_sample_that_it_needs(config):
    stream = FrameStream(config)
    needed = config.window + config.reach * config.shift
    assert len(stream.push(recording(needed - 1))) == 0
    assert len(stream.push(recording(1))) == 1
    assert len(stream.push(recording(config.shift))) == 1


def test_memory_does_not_grow():
    config = FeatureConfig(kind="mfcc", mels=23, deltas=2)
    stream = FrameStream(config)
    held = []
    for _ in range(50):
        stream.push(recording(1_600))
        held.append(sum(value.size for value in vars(stream).values()
                        if isinstance(value, np.ndarray)))
    assert held[5:] == [held[5]] * 45
