"""Learning rate and stopping, as functions of where the training is and of what it has measured.

Neither has a state of its own, so there is nothing to lose when a training resumes.
"""

import math
from collections.abc import Sequence

from asr.train.config import ScheduleConfig


def learning_rate(peak: float, config: ScheduleConfig, progress: float, epochs: int,
                  dev_losses: Sequence[float]) -> float:
    """The rate at `progress` epochs (a fraction within one) of `epochs`.

    Parameters
    ----------
    dev_losses : sequence of float
        Development loss of each finished epoch.
    """
    if progress < config.warmup:
        return peak * progress / config.warmup
    if config.kind != "plateau":
        share = min((progress - config.warmup) / max(epochs - config.warmup, 1e-9), 1)
        return peak * (1 - share if config.kind == "linear"
                       else 0.5 * (1 + math.cos(math.pi * share)))
    return peak * config.factor ** _reductions(dev_losses, config.patience)


def _reductions(losses: Sequence[float], patience: int) -> int:
    """How often the loss went `patience` epochs without a new lowest value."""
    count, best, waited = 0, math.inf, 0
    for loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == patience:
            count, waited = count + 1, 0
    return count


def should_stop(dev_wers: Sequence[float], patience: int) -> bool:
    """Whether the lowest WER lies `patience` epochs or more back; never for a patience of 0."""
    if not patience or not dev_wers:
        return False
    return len(dev_wers) - 1 - dev_wers.index(min(dev_wers)) >= patience
