"""Several processes under torchrun: the same sums as one process with the same global batch."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from asr.errors import AsrError, one_line


class Processes:
    """This process among `world`; alone unless torchrun started it.

    Gradients are summed in one all-reduce after the backward pass. Every process takes part in
    every step, with nothing to add where the batch has no utterance for it, so uneven data cannot
    hang. What is done together is an `AsrError` where another process has died meanwhile.

    On a GPU float32 is float32, since cuDNN would round to TF32's ten bits by default, and sums
    have one order.

    Raises
    ------
    AsrError
        torchrun has started more processes here than there are GPUs.
    """

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        local = int(os.environ.get("LOCAL_RANK", 0))
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            gpus = torch.cuda.device_count()
            if local >= gpus:
                raise AsrError(f"process {local + 1} on this machine has no GPU of its own, there "
                               f"are {gpus}; start torchrun with --nproc-per-node {gpus}")
            torch.cuda.set_device(self.device)
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cudnn.deterministic = True
        if self.world > 1:
            dist.init_process_group("nccl" if cuda else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sum(self, values: Iterable[float]) -> list[float]:
        """Sum each value over all processes."""
        total = torch.tensor(list(values), dtype=torch.float64, device=self.device)
        if self.world > 1:
            with _together():
                dist.all_reduce(total)
        return total.tolist()

    def sum_gradients(self, network: nn.Module, *extra: Tensor) -> list[Tensor]:
        """Sum all gradients in place over all processes; returns the sums of `extra` scalars."""
        gradients = []
        for parameter in network.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        flat = torch.cat([g.flatten() for g in gradients] + [e.reshape(1).float() for e in extra])
        with _together():
            dist.all_reduce(flat)
        *summed, tail = flat.split([g.numel() for g in gradients] + [len(extra)])
        for gradient, part in zip(gradients, summed, strict=True):
            gradient.copy_(part.view_as(gradient))
        return list(tail)

    def check_same(self, values: Mapping[str, Any]) -> None:
        """Whether all processes have been given the same.

        Parameters
        ----------
        values : mapping
            What JSON can hold, by name.

        Raises
        ------
        AsrError
            A process has other values than the first; names and process are told.
        """
        if self.world == 1:
            return
        own = torch.tensor([list(sha256(json.dumps(value, sort_keys=True).encode()).digest())
                            for value in values.values()], dtype=torch.uint8, device=self.device)
        digests = [torch.empty_like(own) for _ in range(self.world)]
        with _together():
            dist.all_gather(digests, own)
        for rank, found in enumerate(digests):
            other = [name for name, a, b in zip(values, found, digests[0], strict=True)
                     if not torch.equal(a, b)]
            if other:
                raise AsrError(f"process {rank} and process 0 differ in {', '.join(other)}; give "
                               "all of them the same files and settings")

    def share(self, weights: Iterable[Tensor]) -> None:
        """Give all processes the first one's: another machine may draw others."""
        if self.world > 1:
            with _together():
                for tensor in weights:
                    dist.broadcast(tensor.detach(), 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            with _together():
                dist.barrier()

    def close(self) -> None:
        """Leave the group, together.

        A process that left while another still worked has been seen to abort at its exit, whereupon
        torchrun kills the others. Presumably gloo's thread lets go of the last sum's tensor when it
        comes to it, and an interpreter that is shutting down ends a thread that asks for it.
        """
        self.wait()
        if self.world > 1:
            dist.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    """Name the loss of a process: gloo says it by a RuntimeError, NCCL by a kind of it."""
    try:
        yield
    except RuntimeError as error:
        raise AsrError("another process of this training has died or cannot be reached; the same "
                       "command with --resume goes on from the last checkpoint "
                       f"({one_line(error)})") from None
