import pytest
import torch

from asr.errors import AsrError
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.train.config import TrainConfig
from asr.train.optimisers import make_optimisers, parameter_rates

MODEL = ModelConfig(layers=2, units=6, channels=2)


def network():
    torch.manual_seed(0)
    return Network(MODEL, 8, 5)


def updates(**settings):
    """What one step of the highest rate changes, by parameter, and the gradients."""
    model = network()
    config = TrainConfig(model=MODEL, weight_decay=0, learning_rate=0.01, **settings)
    optimisers = make_optimisers(model, config)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(1)
    gradients = {}
    for name, parameter in model.named_parameters():
        gradients[name] = torch.randn_like(parameter)
        if parameter.requires_grad:
            parameter.grad = gradients[name].clone()
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * group["rate"]
        optimiser.step()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}, gradients


def test_sgd_with_nesterovs_momentum_goes_down_the_gradient():
    changed, gradients = updates(optimiser="sgd", betas=(0.5, 0.9))
    for name, change in changed.items():
        torch.testing.assert_close(change, -0.01 * 1.5 * gradients[name], atol=1e-6, rtol=1e-4)


def test_the_first_step_of_adamw_is_the_rate_times_the_sign():
    changed, gradients = updates(rates={"layers.1": 0.5, "layers": 0.1, "head.bias": 2})
    for name, change in changed.items():
        rate = (0.5 if name.startswith("layers.1") else 0.1 if name.startswith("layers")
                else 2 if name == "head.bias" else 1)
        torch.testing.assert_close(change, -0.01 * rate * gradients[name].sign(), atol=1e-5,
                                   rtol=1e-3)


def test_muon_turns_matrices_inside_and_leaves_the_rest_to_adamw():
    changed, gradients = updates(optimiser="muon")
    for name, change in changed.items():
        if change.ndim == 2 and not name.startswith("head"):
            singular = torch.linalg.svdvals(change)
            size = 0.01 * 0.2 * max(change.shape) ** 0.5  # Liu et al. 2025, eq. 4
            assert singular.max() < 1.4 * size
            assert singular.min() > 0.5 * size  # the gradient's own go far lower
            assert (change * gradients[name]).sum() < 0
        else:
            torch.testing.assert_close(change, -0.01 * gradients[name].sign(), atol=1e-5,
                                       rtol=1e-3)


def test_a_rate_of_zero_freezes():
    changed, _ = updates(rates={"front_end": 0, "layers.0.norm": 0})
    for name, change in changed.items():
        assert bool(change.any()) != name.startswith(("front_end.", "layers.0.norm."))


def test_prefixes_are_of_whole_parts():
    rates = parameter_rates(network(), {"layers.1": 0.5})
    assert {name for name, rate in rates.items() if rate == 0.5} == {
        name for name in rates if name.startswith("layers.1.")}
    with pytest.raises(AsrError, match=r"starts with `layers\.12`; there are front_end, head, "
                                       r"layers\.0, layers\.1 and"):
        parameter_rates(network(), {"layers.12": 0.5})
    with pytest.raises(AsrError, match="starts with `lay`"):
        parameter_rates(network(), {"lay": 0.5})


def test_something_must_be_left_to_learn():
    everything = dict.fromkeys(("front_end", "layers", "head"), 0.0)
    with pytest.raises(AsrError, match="nothing to learn"):
        make_optimisers(network(), TrainConfig(model=MODEL, rates=everything))
