"""Gradients of a batch, in as many parts as fit into memory, and the update by them."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asr.augment.spec_augment import apply_spans
from asr.memory import out_of_memory
from asr.model.frame_batch import moved
from asr.model.front_end import frame_mask
from asr.model.network import Network, dropout_masks
from asr.progress import log
from asr.train.data import Batch
from asr.train.objective import Objective


class Gradients:
    """Adds a batch's gradients to the network's parameters, which have none before.

    A batch for which memory runs out is done in parts, one after the other: the gradient is a sum
    over utterances, so it is the same. Larger ones are then parted at once.

    Parameters
    ----------
    objective : Objective
    consistency : float
        Weight of `consistency`, for batches of two views.
    """

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype,
                 scaler: torch.amp.GradScaler, objective: Objective, consistency: float) -> None:
        self.network = network
        self.device = device
        self.dtype = dtype
        self.scaler = scaler
        self.objective = objective
        self.consistency = consistency
        self.too_large = math.inf  # frames, padding included, of the smallest that did not fit

    def add(self, batch: Batch) -> Tensor:
        """Returns this process's part of the batch's loss by the objective, in nats; shape ().

        Raises
        ------
        torch.OutOfMemoryError, RuntimeError
            A single utterance does not fit; see `asr.memory.out_of_memory`.
        """
        if batch.frames is None:
            return torch.zeros((), device=self.device)
        size, longest = batch.frames.x.shape[:2]
        parts = 1
        while parts < size and math.ceil(size / parts) * longest >= self.too_large:
            parts += 1
        while True:
            part = batch
            try:
                loss = torch.zeros((), device=self.device)
                for part in batch.split(parts):
                    loss += self._add(part)
                return loss
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or parts >= size:
                    raise
            # Outside of the handler: the exception holds what did not fit.
            self.network.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.too_large = min(self.too_large, len(part.ids) * longest)
            parts = min(2 * parts, size)
            log(f"{size} utterances of up to {longest} frames do not fit into memory at once: "
                f"done in {parts} parts (a smaller batch_seconds is faster)")

    def _add(self, batch: Batch) -> Tensor:
        assert batch.frames is not None
        # Of the processor's own tensors: the loss would wait for a GPU to tell it the lengths.
        output_lengths = self.network.output_lengths(batch.frames.lengths).repeat(batch.views)
        label_lengths = batch.label_lengths.repeat(batch.views)
        longest = self.network.output_lengths(torch.tensor(batch.frames.x.shape[1]))
        frames = batch.frames.to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            x = self.network.normalise(frames.x, frames.lengths, frames.statistics)
            lengths = frames.lengths.repeat(batch.views)
            x = apply_spans(x.repeat(batch.views, 1, 1), moved(batch.time_spans, self.device),
                            moved(batch.frequency_spans, self.device))
            posteriors = self.network.from_normalised(x, lengths, dropout_masks(
                self.network.config, moved(batch.seeds, self.device), int(longest)))
        reported = self.objective(posteriors, batch.labels.repeat(batch.views), output_lengths,
                                  label_lengths) / batch.views
        loss = reported
        if batch.views == 2:
            loss = reported + self.consistency * consistency(
                posteriors, self.network.output_lengths(lengths))
        self.scaler.scale(loss / batch.total_labels).backward()
        return reported.detach()


def update(network: nn.Module, optimisers: Sequence[torch.optim.Optimizer],
           scaler: torch.amp.GradScaler, clip: float, rate: float) -> Tensor:
    """Change the network by its gradients, which it has none of afterwards.

    Parameters
    ----------
    clip : float
        Longest gradient; a longer one is shortened to it.
    rate : float
        Learning rate, times the `rate` of each of the optimisers' groups.

    Returns
    -------
    Tensor, shape = ()
        The gradient's length before.
    """
    for optimiser in optimisers:
        scaler.unscale_(optimiser)
    parameters = list(network.parameters())
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # Where the scaled loss has gone over the top in one optimiser's gradients, which leave it
    # out, another's are 0, not NaN.
    torch.nn.utils.clip_grads_with_norm_(parameters, clip,
                                         norm.nan_to_num(nan=math.inf, posinf=math.inf))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * group["rate"]
        scaler.step(optimiser)
    scaler.update()
    network.zero_grad(set_to_none=True)
    return norm


def consistency(posteriors: Tensor, lengths: Tensor) -> Tensor:
    """How far apart two views of the same utterances are: CR-CTC, Yao et al. 2024, section 3.2.

    ½ Σ_t D(b_t ‖ a_t) + D(a_t ‖ b_t) with the Kullback-Leibler divergence D, whose first argument
    is taken as given: each view learns from the other.

    Parameters
    ----------
    posteriors : Tensor, shape = (T', 2 N, V)
        Natural logarithms; the N utterances of one view, then those of the other.
    lengths : Tensor, shape = (2 N,)
        Frames of each.

    Returns
    -------
    Tensor, shape = ()
        Nats, summed over the frames of all utterances.
    """
    one, other = posteriors.detach().chunk(2, dim=1)
    divergence = F.kl_div(posteriors, torch.cat([other, one], dim=1), reduction="none",
                          log_target=True).sum(2)
    return 0.5 * (divergence * frame_mask(lengths, len(posteriors)).T).sum()
