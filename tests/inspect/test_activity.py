import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.inspect.activity import forced_labels, greedy_labels, liveliest, observe
from asr.model.bundle import BundleConfig, load_bundle, save_bundle
from asr.model.config import ModelConfig
from asr.model.network import Network, arrays
from asr.text.units import CharacterUnits

SAMPLES = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)


def model(folder, **settings):
    config = BundleConfig(features=FeatureConfig(mels=12, sample_rate=8000), normaliser="none",
                          model=ModelConfig(units=8, channels=4, **settings))
    units = CharacterUnits.from_texts(["abc"])
    torch.manual_seed(1)
    network = Network(config.model, 12, len(units))
    save_bundle(folder / "bundle", config, units, arrays(network.state_dict()), None)
    return load_bundle(folder / "bundle")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layer", [1, 2])
def test_cells_are_what_the_layer_gives_on(tmp_path, cell, layer):
    """Hidden states of both directions, normalised, are the layer's output in the real network."""
    bundle = model(tmp_path, cell=cell, layers=2)
    outputs = []
    module = bundle.network.layers[layer - 1]
    module.register_forward_hook(lambda _, inputs, output: outputs.append(output[:, 0]))
    both = [observe(bundle, SAMPLES, layer, way) for way in ("forward", "backward")]
    hidden = torch.cat([torch.from_numpy(a.cells["hidden"]) for a in both], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(module.norm(hidden), outputs[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(both[0].log_posteriors,
                               bundle.log_posteriors_of_audio([SAMPLES])[0], atol=1e-6)


def test_nothing_is_left_on_the_model(tmp_path):
    bundle = model(tmp_path, layers=1)
    observe(bundle, SAMPLES)
    assert not bundle.network.layers[0]._forward_pre_hooks


@pytest.mark.parametrize(("layer", "direction", "message"), [
    (0, "forward", "no layer 0; it has 1"), (2, "forward", "no layer 2"),
    (1, "backward", "one direction")])
def test_what_is_not_there(tmp_path, layer, direction, message):
    bundle = model(tmp_path, layers=1, bidirectional=False)
    with pytest.raises(AsrError, match=message):
        observe(bundle, SAMPLES, layer, direction)


def test_less_than_a_frame(babbler):
    with pytest.raises(AsrError, match="shorter than one frame"):
        observe(load_bundle(babbler), SAMPLES[:100])


def test_liveliest():
    cell = np.zeros((4, 5))
    cell[:, 3] = [0, 1, 0, 1]
    cell[:, 1] = [9, 9, 9, 8]
    cells = {"cell": cell, "hidden": np.random.default_rng(0).random((4, 5))}
    assert liveliest(cells, 2) == [1, 3]
    assert liveliest(cells, 1) == [3]


def test_the_greedy_text_forced_is_greedys_own_place():
    logits = np.random.default_rng(0).normal(0, 3, (50, 5)).astype(np.float32)
    log_posteriors = torch.from_numpy(logits).log_softmax(1).numpy()
    greedy = greedy_labels(log_posteriors)
    forced = forced_labels(log_posteriors, greedy.ids)
    assert greedy.spans.start.tolist() == forced.spans.start.tolist()
