import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.listen.posterior_stream import PosteriorStream, check_live
from asr.model.config import ModelConfig
from asr.model.network import Network

FEATURES, SYMBOLS = 10, 7
STATISTICS = np.random.default_rng(1).uniform(0.5, 2, (2, FEATURES)).astype(np.float32)


def network(**settings):
    torch.manual_seed(0)
    settings = {"layers": 2, "units": 12, "channels": 4, "bidirectional": False, **settings}
    return Network(ModelConfig(**settings), FEATURES, SYMBOLS).eval()


def frames(count):
    return np.random.default_rng(count).standard_normal((count, FEATURES)).astype(np.float16)


def streamed(model, x, edges):
    stream = PosteriorStream(model, STATISTICS)
    return [*(stream.push(block) for block in np.split(x, sorted(edges))), stream.finish()]


def whole(model, x):
    with torch.inference_mode():
        return model(torch.from_numpy(x)[None], torch.tensor([len(x)]),
                     torch.from_numpy(STATISTICS)[None])[:, 0].numpy()


@pytest.mark.parametrize("front_end", ["conv2d", "conv1d", "stack"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("subsampling", [1, 2, 3, 4])
def test_blocks_give_the_posteriors_of_the_whole(front_end, cell, subsampling):
    model = network(front_end=front_end, cell=cell, subsampling=subsampling)
    for length in (1, 2, 7, 40, 41, 42, 43):
        x = frames(length)
        expected = whole(model, x)
        for edges in (range(length), range(0, length, 5), [length // 2], []):
            found = np.concatenate(streamed(model, x, edges))
            assert found.shape == expected.shape == (-(-length // subsampling), SYMBOLS)
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("settings", [
    {"projection": 5}, {"projection": 5, "cell": "gru", "norm": "rms"}, {"residual": False},
    {"norm": "none"}, {"norm": "rms", "front_end": "conv1d"}])
def test_variants_too(settings):
    model = network(layers=3, **settings)
    x = frames(50)
    np.testing.assert_allclose(np.concatenate(streamed(model, x, range(0, 50, 4))),
                               whole(model, x), atol=1e-5)


@given(st.integers(1, 120), st.lists(st.integers(0, 120), max_size=10),
       st.sampled_from(["conv2d", "stack"]))
@settings(max_examples=40)
def test_edges_anywhere(length, edges, front_end):
    model, x = network(front_end=front_end), frames(length)
    np.testing.assert_allclose(np.concatenate(streamed(model, x, edges)), whole(model, x),
                               atol=1e-5)


@pytest.mark.parametrize("front_end", ["conv2d", "conv1d", "stack"])
@pytest.mark.parametrize("subsampling", [1, 3])
def test_posteriors_come_with_the_last_frame_of_the_front_ends_reach(front_end, subsampling):
    model = network(front_end=front_end, subsampling=subsampling)
    after = model.config.reach[1]
    given = np.cumsum([len(rows) for rows in streamed(model, frames(31), range(1, 31))])
    for count, total in enumerate(given[:-1], start=1):
        assert total == sum(t * subsampling + after < count for t in range(31))


def test_nothing_gives_nothing():
    model = network()
    assert [rows.shape for rows in streamed(model, frames(0), [])] == [(0, SYMBOLS)] * 2


def test_memory_does_not_grow():
    stream = PosteriorStream(network(), STATISTICS)
    held = []
    for _ in range(40):
        stream.push(frames(7))
        held.append(stream._frames.numel())
    assert max(held[10:]) == max(held[20:])


@pytest.mark.parametrize(("model", "cmvn", "fault"), [
    ({"bidirectional": True}, "global", "both ends.*model.bidirectional=false"),
    ({}, "utterance", "whole utterance.*cmvn=global"),
    ({}, "speaker", "whole speaker.*cmvn=global")])
def test_models_that_need_the_future_are_refused(model, cmvn, fault):
    with pytest.raises(AsrError, match=fault):
        check_live(network(**model).config, FeatureConfig(cmvn=cmvn))
    for fit in ("global", "none"):
        check_live(network().config, FeatureConfig(cmvn=fit))
