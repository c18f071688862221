"""What updates the weights."""

from collections.abc import Mapping

import torch
from torch import nn

from asr.errors import Untrainable
from asr.train.config import TrainConfig


def make_optimisers(network: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a network's parameters; those whose rate is 0 are frozen.

    Muon (Jordan et al. 2024) takes the matrices inside the network, in the scaling that makes
    AdamW's learning rates and weight decays fit (Liu et al. 2025), and AdamW the rest: the head,
    convolutions, biases, gains.

    Returns
    -------
    list of Optimizer
        With a `rate` in each group, which multiplies the learning rate of the moment.

    Raises
    ------
    Untrainable
        `config.rates` names no parameter, or freezes all.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, rate in parameter_rates(network, config.rates).items():
        parameter = network.get_parameter(name)
        parameter.requires_grad_(rate > 0)
        if rate:
            by_muon = (config.optimiser == "muon" and parameter.ndim == 2
                       and not name.startswith("head."))
            groups.setdefault((by_muon, rate), []).append(parameter)
    if not groups:
        raise Untrainable("rates: 0 for every parameter, so that there is nothing to learn")
    first, second = config.betas
    found: list[torch.optim.Optimizer] = []
    for by_muon in (False, True):
        own = [{"params": parameters, "rate": rate}
               for (muon, rate), parameters in groups.items() if muon == by_muon]
        if not own:
            continue
        if by_muon:
            found.append(torch.optim.Muon(own, 0.0, config.weight_decay,
                                          adjust_lr_fn="match_rms_adamw"))
        elif config.optimiser == "sgd":
            found.append(torch.optim.SGD(own, 0.0, momentum=first, nesterov=first > 0,
                                         weight_decay=config.weight_decay))
        else:
            found.append(torch.optim.AdamW(own, 0.0, (first, second), fused=True,
                                           weight_decay=config.weight_decay))
    return found


def parameter_rates(network: nn.Module, rates: Mapping[str, float]) -> dict[str, float]:
    """The rate of each parameter by name: that of the longest prefix of whole parts, or 1."""
    names = [name for name, _ in network.named_parameters()]
    for prefix in rates:
        if not any(f"{name}.".startswith(f"{prefix}.") for name in names):
            parts = sorted({".".join(name.split(".")[:2 if name.startswith("layers.") else 1])
                            for name in names})
            raise Untrainable(f"rates: no parameter's name starts with `{prefix}`; there are "
                           f"{', '.join(parts)} and their parts")
    return {name: max(((len(prefix), rate) for prefix, rate in rates.items()
                       if f"{name}.".startswith(f"{prefix}.")), default=(0, 1.0))[1]
            for name in names}
