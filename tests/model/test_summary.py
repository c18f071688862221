import itertools

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from asr.features.config import FeatureConfig
from asr.model.bundle import Bundle, BundleConfig
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.model.summary import parts, reach
from asr.text.units import CharacterUnits

KINDS = list(itertools.product(["conv2d", "conv1d", "stack"], ["lstm", "gru"], [True, False],
                               [2, 3]))


def network_of(front_end, cell, bidirectional, subsampling, features=13, symbols=11):
    torch.manual_seed(0)
    return Network(ModelConfig(front_end=front_end, cell=cell, bidirectional=bidirectional,
                               subsampling=subsampling, channels=5, layers=3, units=7),
                   features, symbols)


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("features", [13, 16])
def test_multiply_adds_are_those_torch_counts(kind, features):
    """On a real pass. torch counts a multiplication and an addition as two."""
    network = network_of(*kind, features)
    frames = 4 * kind[3]
    # oneDNN's LSTM is one operation, which the counter does not know.
    with torch.backends.mkldnn.flags(enabled=False), torch.inference_mode(), \
            FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, frames, features), torch.tensor([frames]),
                torch.ones(1, 2, features))
    counted = counter.get_flop_counts()
    modules = ["front_end", "layers.0", "layers.1", "layers.2", "head"]
    for part, module in zip(parts(network.config, features, 11), modules, strict=True):
        flops = sum(counted.get(f"Network.{module}", {}).values())
        assert 4 * part.multiply_adds == flops / 2, part


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_belongs_to_one_part(kind):
    network = network_of(*kind)
    assert sum(part.parameters for part in parts(network.config, 13, 11)) == sum(
        parameter.numel() for parameter in network.parameters())


def test_the_documented_formulas():
    """A bidirectional LSTM worked out by hand: F 13, C 5, s 3, U 7, V 11."""
    front_end, first, second, third, head = parts(
        network_of("conv2d", "lstm", True, 3).config, 13, 11)
    assert front_end.multiply_adds == 3 * 7 * 5 * 7 + 9 * 25 * 4
    assert first.multiply_adds == 2 * 4 * 7 * (5 * 4 + 7)
    assert second.multiply_adds == third.multiply_adds == 2 * 4 * 7 * (14 + 7)
    assert head.multiply_adds == 14 * 11
    assert front_end.parameters == (21 * 5 + 5) + (9 * 25 + 5) + 2 * 20  # with norm
    assert first.parameters == 2 * 4 * 7 * (20 + 7 + 2) + 2 * 14
    assert head.parameters == 15 * 11


@pytest.mark.parametrize(("front_end", "subsampling"),
                         [*itertools.product(["conv2d", "conv1d", "stack"], [1, 2, 3, 4])])
def test_the_front_end_hears_as_far_as_its_gradients_reach(front_end, subsampling):
    network = network_of(front_end, "lstm", True, subsampling)
    frames = torch.randn(1, 40, 13, requires_grad=True)
    output = network.front_end(frames, torch.tensor([40]))[0, 5]
    output.square().sum().backward()  # a plain sum of what is normalised has no gradient
    heard = frames.grad[0].abs().sum(1).nonzero().flatten()
    before, after = network.config.reach
    assert heard.tolist() == list(range(5 * subsampling - before, 5 * subsampling + after + 1))


def bundle_of(front_end, deltas, bidirectional=False, cmvn="none"):
    features = FeatureConfig(mels=13, sample_rate=8000, deltas=deltas, cmvn=cmvn)
    units = CharacterUnits.from_texts(["abc"])
    config = BundleConfig(
        features=features, normaliser="none",
        model=ModelConfig(front_end=front_end, bidirectional=bidirectional, channels=3, units=6))
    torch.manual_seed(1)
    network = Network(config.model, features.dimension, len(units))
    return Bundle(config, units, arrays(network.state_dict()), None, None, None)


@pytest.mark.parametrize(("front_end", "deltas"),
                         [*itertools.product(["conv2d", "conv1d", "stack"], [0, 1, 2])])
def test_other_audio_is_heard_as_far_ahead_as_it_says_and_no_further(front_end, deltas):
    bundle = bundle_of(front_end, deltas)
    ahead = reach(bundle.config.model, bundle.config.features).look_ahead
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, 16_000).astype(np.float32)
    end = round((20 + 1) * bundle.frame_shift * 8000 + ahead * 8000)  # of what frame 20 needs
    before, = bundle.log_posteriors_of_audio([samples])

    def changed(start):
        other = samples.copy()
        other[start:] = random.normal(0, 0.1, len(other) - start)
        after, = bundle.log_posteriors_of_audio([other])
        return np.abs(after - before).max(1) > 1e-5

    assert changed(end).tolist()[:22] == [False] * 21 + [True]
    assert changed(end - 80)[20]  # one window earlier


@pytest.mark.parametrize("whole", [{"bidirectional": True}, {"cmvn": "utterance"},
                                   {"cmvn": "speaker"}])
def test_some_models_need_the_whole_utterance(whole):
    bundle = bundle_of("stack", 0, **whole)
    assert reach(bundle.config.model, bundle.config.features).look_ahead is None
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    before, = bundle.log_posteriors_of_audio([samples])
    samples[-800:] *= 3
    after, = bundle.log_posteriors_of_audio([samples])
    assert not np.allclose(before[0], after[0], atol=1e-6)
