#!/usr/bin/env python
"""Time a training step: ours against packed sequences, and against the limit.

The same network, weights and batch, in turn in one run; on a GPU also own-length reversal by cuDNN,
which the kernel of `asr.model.lstm_kernel` takes the place of in halves. Packed sequences are how
deepspeech.pytorch and SpeechBrain keep utterances of unequal length apart; where SpeechBrain is
installed its own LSTM encoder (speechbrain.nnet.RNN.LSTM) takes the place of the layers as well.
icefall is no package that pip could install. A step is a training's: masks, dropout, gradients,
clipping and AdamW, at a learning rate of 0. Times are medians. Steps of ours alone come first, as
a training makes them: beside others each finds memory and caches as another has left them. The
limit is what a large matrix product reaches on the same cores, the best of ten. The step's
arithmetic is counted as `asr.model.summary.parts` counts it, three times (one product forward, two
backward), a multiplication and an addition as two; padding included.

On a GPU halves are float16, see `asr.train.precision`, and the large product is of 8192³.

    python tools/bench_train.py [--utterances 16] [--frames 1200] [--repeats 5]
"""

import asr  # noqa: F401, I001  # before torch: a layer's directions share the cores, as in trainings

import argparse
import statistics
import time
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn

from asr.augment.spec_augment import spec_augment_spans
from asr.memory import keep_freed_memory
from asr.model.config import ModelConfig
from asr.model.frame_batch import FrameBatch
from asr.model.network import Network
from asr.model.recurrent import RecurrentLayer
from asr.model.summary import parts
from asr.train.config import TrainConfig
from asr.train.data import Batch
from asr.train.objective import Objective
from asr.train.optimisers import make_optimisers
from asr.train.precision import loss_scaler
from asr.train.step import Gradients, update

FEATURES, SYMBOLS = 80, 29


class CudnnLayer(nn.Module):
    """A `RecurrentLayer` without the kernel."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.layer.norm(self.layer.by_torch(x, lengths))


class PackedLayer(nn.Module):
    """A bidirectional layer over a packed sequence, with a `RecurrentLayer`'s weights."""

    def __init__(self, layer: RecurrentLayer, lengths: Tensor) -> None:
        super().__init__()
        forward, backward = layer.forward_rnn, layer.backward_rnn
        self.rnn = nn.LSTM(forward.input_size, forward.hidden_size, bidirectional=True)
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(self.rnn, name).data = getattr(forward, name).data.clone()
            getattr(self.rnn, f"{name}_reverse").data = getattr(backward, name).data.clone()
        self.norm = layer.norm
        self.lengths = lengths

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, self.lengths.cpu(), enforce_sorted=False)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], total_length=len(x))
        return self.norm(y)


class SpeechBrainLayers(nn.Module):
    """All layers as SpeechBrain has them: neither normalised nor with residuals."""

    def __init__(self, network: Network, config: ModelConfig, lengths: Tensor) -> None:
        super().__init__()
        from speechbrain.nnet.RNN import LSTM

        self.rnn = LSTM(config.units, input_size=network.front_end.outputs,
                        num_layers=config.layers, bidirectional=True)
        self.lengths = lengths / lengths.max()

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        return self.rnn(x.transpose(0, 1), lengths=self.lengths)[0].transpose(0, 1)


class Step:
    """One update of a network, as a training makes it."""

    def __init__(self, network: Network, config: TrainConfig, device: torch.device,
                 dtype: torch.dtype) -> None:
        self.network = network
        self.clip = config.clip
        self.scaler = loss_scaler(device, dtype)
        self.gradients = Gradients(network, device, dtype, self.scaler, Objective(), consistency=0)
        self.optimisers = make_optimisers(network, config)

    def __call__(self, batch: Batch) -> None:
        self.gradients.add(batch)
        update(self.network, self.optimisers, self.scaler, self.clip, rate=0.0)


def make_batch(lengths: Tensor, outputs: Tensor, config: TrainConfig) -> Batch:
    """Noise of these lengths, with a label for every other output frame."""
    label_lengths = outputs // 2
    total = int(label_lengths.sum())
    time_spans, frequency_spans = spec_augment_spans(
        config.spec_augment, torch.arange(len(lengths)), lengths, FEATURES, 0.01)
    statistics = torch.stack([torch.zeros(len(lengths), FEATURES),
                              torch.ones(len(lengths), FEATURES)], dim=1)
    frames = FrameBatch(torch.randn(len(lengths), int(lengths.max()), FEATURES).half(), lengths,
                        statistics)
    return Batch([str(i) for i in range(len(lengths))], total, int(lengths.sum()), frames,
                 torch.randint(1, SYMBOLS, (total,)), label_lengths, 1, time_spans,
                 frequency_spans, torch.arange(len(lengths)))


def peak(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of a 2048³ product, of an 8192³ one on a GPU, the best of ten."""
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device, dtype=dtype)
    best = min(timed(lambda: a @ a, device) for _ in range(10))
    return 2 * size**3 / best


def timed(work, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=16)
    parser.add_argument("--frames", type=int, default=1200, help="feature frames of the longest")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.allow_tf32 = False
    keep_freed_memory()  # as a training does

    torch.manual_seed(0)
    settings = TrainConfig(model=ModelConfig(layers=options.layers, units=options.units))
    config = settings.model
    own_network = Network(config, FEATURES, SYMBOLS).to(device)
    # Like lengths, as a bucketed batch has them: the shortest is a tenth shorter.
    lengths = torch.linspace(options.frames, 0.9 * options.frames, options.utterances).long()
    outputs = own_network.output_lengths(lengths)
    packed_network = Network(config, FEATURES, SYMBOLS).to(device)
    packed_network.load_state_dict(own_network.state_dict())
    packed_network.layers = nn.ModuleList(
        PackedLayer(layer, outputs) for layer in packed_network.layers).to(device)

    batch = make_batch(lengths, outputs, settings)
    frames = batch.frames.to(device)
    with torch.inference_mode():
        a, b = (network(frames.x, frames.lengths, frames.statistics)
                for network in (own_network, packed_network))
        difference = max(float((a[:n, i] - b[:n, i]).abs().max()) for i, n in enumerate(outputs))
    networks = {"ours": own_network, "packed": packed_network}
    if device.type == "cuda":
        networks["cudnn"] = deepcopy(own_network)
        networks["cudnn"].layers = nn.ModuleList(
            CudnnLayer(layer) for layer in networks["cudnn"].layers)
    try:
        networks["speechbrain"] = Network(config, FEATURES, SYMBOLS)
        networks["speechbrain"].layers = nn.ModuleList(
            [SpeechBrainLayers(own_network, config, outputs)])
        networks["speechbrain"].to(device)
    except ModuleNotFoundError as error:
        del networks["speechbrain"]
        print(f"without SpeechBrain ({error})")
    parameters = sum(p.numel() for p in own_network.parameters())
    flops = 6 * sum(part.multiply_adds for part in parts(config, FEATURES, SYMBOLS)) \
        * int(outputs.max()) * options.utterances
    print(f"{options.layers} × {options.units} BiLSTM, {parameters / 1e6:.2f} M parameters, "
          f"{options.utterances} × {options.frames} frames, {torch.get_num_threads()} threads, "
          f"{device}; outputs differ by {difference:.0e}")

    for dtype in (torch.float32,
                  torch.float16 if device.type == "cuda" else torch.bfloat16):
        times: dict[str, list[float]] = {name: [] for name in networks}
        steps = {name: Step(network, settings, device, dtype)
                 for name, network in networks.items()}
        alone = [timed(partial(steps["ours"], batch), device) for _ in range(3 + options.repeats)]
        limit = peak(dtype, device)
        rate = flops / statistics.median(alone[3:])
        for repeat in range(1 + options.repeats):
            for name, step in steps.items():
                seconds = timed(partial(step, batch), device)
                if repeat:  # the first is a warm-up
                    times[name].append(seconds)
        ours, *others = (statistics.median(values) for values in times.values())
        print(f"{str(dtype).removeprefix('torch.'):8}  alone {flops / rate:.3f} s, "
              f"{rate / 1e9:.0f} of {limit / 1e9:.0f} GFLOP/s ({100 * rate / limit:.0f} %)  "
              f"in turn {ours:.3f} s" + "".join(
                  f", {name} {other:.3f} s ({other / ours:.1f} times)"
                  for name, other in zip([*networks][1:], others, strict=True)))


if __name__ == "__main__":
    main()
