import itertools

import numpy as np
import pytest
import torch
from torch import nn

from asr.model.config import ModelConfig
from asr.model.front_end import Conv2dFrontEnd, make_front_end
from asr.model.inference import log_posteriors
from asr.model.network import Network, dropout_masks
from asr.model.recurrent import RecurrentLayer, reversal

FEATURES, SYMBOLS = 10, 7


def network(**settings):
    torch.manual_seed(0)
    settings = {"layers": 2, "units": 12, "channels": 4, "dropout": 0.3, **settings}
    return Network(ModelConfig(**settings), FEATURES, SYMBOLS).eval()


def utterances(lengths, seed=0):
    random = np.random.default_rng(seed)
    frames = [random.standard_normal((n, FEATURES)).astype(np.float16) for n in lengths]
    statistics = random.uniform(0.5, 2, (len(lengths), 2, FEATURES)).astype(np.float32)
    return frames, statistics


@pytest.mark.parametrize("front_end", ["conv2d", "conv1d", "stack"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("subsampling", [1, 2, 3, 4])
def test_an_utterance_gets_the_same_alone_and_in_any_batch(front_end, cell, bidirectional,
                                                           subsampling):
    model = network(front_end=front_end, cell=cell, bidirectional=bidirectional,
                    subsampling=subsampling)
    lengths = [23, 1, 40, 7, 22, 39]
    frames, statistics = utterances(lengths)
    alone = [log_posteriors(model, [f], s[None])[0]
             for f, s in zip(frames, statistics, strict=True)]
    for chosen in ([0, 1, 2, 3, 4, 5], [5, 2], [3, 0, 1], [1, 4]):
        together = log_posteriors(model, [frames[i] for i in chosen], statistics[chosen])
        for i, posteriors in zip(chosen, together, strict=True):
            assert posteriors.shape == (-(-lengths[i] // subsampling), SYMBOLS)
            np.testing.assert_allclose(posteriors, alone[i], atol=1e-5)


@pytest.mark.parametrize("settings", [
    {"projection": 5}, {"residual": False}, {"norm": "rms", "front_end": "conv1d"},
    {"norm": "none"}, {"projection": 5, "bidirectional": False, "cell": "gru"}])
def test_variants_too_are_the_same_alone_and_in_a_batch(settings):
    model = network(layers=3, **settings)
    frames, statistics = utterances([23, 8])
    together = log_posteriors(model, frames, statistics)
    for f, s, posteriors in zip(frames, statistics, together, strict=True):
        np.testing.assert_allclose(posteriors, log_posteriors(model, [f], s[None])[0], atol=1e-5)
    plain = network(layers=3)
    assert not np.allclose(log_posteriors(plain, frames, statistics)[0], together[0], atol=1e-3)


@pytest.mark.parametrize(("features", "subsampling"), [(80, 4), (13, 3), (7, 1)])
def test_the_first_convolution_as_a_product_is_the_same(features, subsampling):
    torch.manual_seed(3)
    front_end = Conv2dFrontEnd(features, 4, subsampling, "layer")
    x = torch.randn(3, 29, features)
    torch.testing.assert_close(front_end._of_windows(x), front_end.first(x[:, None]))


@pytest.mark.parametrize("kind", ["conv2d", "conv1d"])
def test_gradients_of_the_convolutions_are_those_of_differences(kind):
    torch.manual_seed(5)
    front_end = make_front_end(ModelConfig(front_end=kind, channels=2, subsampling=2), 5).double()
    x, lengths = torch.randn(2, 7, 5).double(), torch.tensor([7, 3])
    x[1, 3:] = 0
    weights = [p.detach().requires_grad_() for p in front_end.parameters()]
    names = [name for name, _ in front_end.named_parameters()]

    def outputs(x, *weights):
        return torch.func.functional_call(front_end, dict(zip(names, weights, strict=True)),
                                          (x, lengths))

    torch.autograd.gradcheck(outputs, [x.requires_grad_(), *weights])


def test_a_projected_layer_is_a_linear_map_of_both_directions():
    torch.manual_seed(4)
    layer = RecurrentLayer("lstm", 5, 6, bidirectional=True, projection=4)
    plain = RecurrentLayer("lstm", 5, 6, bidirectional=True, norm="none")
    plain.load_state_dict({name: tensor for name, tensor in layer.state_dict().items()
                           if "rnn" in name})
    x, lengths = torch.randn(7, 2, 5), torch.tensor([7, 4])
    projected = plain(x, lengths) @ layer.projection.weight.T + layer.projection.bias
    expected = (projected - projected.mean(2, keepdim=True)) / (
        projected.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x, lengths), expected)


def test_what_lies_in_the_padding_does_not_matter():
    model = network()
    frames, statistics = utterances([20, 9])
    x = torch.zeros(2, 20, FEATURES)
    for row, f in zip(x, frames, strict=True):
        row[:len(f)] = torch.from_numpy(f)
    lengths = torch.tensor([20, 9])
    clean = model(x, lengths, torch.from_numpy(statistics))
    x[1, 9:] = 1e4
    dirty = model(x, lengths, torch.from_numpy(statistics))
    torch.testing.assert_close(clean[:3, 1], dirty[:3, 1])
    torch.testing.assert_close(clean[:, 0], dirty[:, 0])


def test_gradients_of_a_batch_are_the_sum_of_its_utterances():
    model = network().double()
    frames, statistics = utterances([15, 6, 11])

    def gradient(chosen):
        model.zero_grad()
        x = torch.zeros(len(chosen), max(len(frames[i]) for i in chosen), FEATURES)
        for row, i in zip(x, chosen, strict=True):
            row[:len(frames[i])] = torch.from_numpy(frames[i])
        lengths = torch.tensor([len(frames[i]) for i in chosen])
        x = model.normalise(x, lengths, torch.from_numpy(statistics[chosen])).double()
        posteriors = model.from_normalised(x, lengths, None).double()
        nn.functional.ctc_loss(posteriors, torch.tensor([[1, 2]] * len(chosen)),
                               model.output_lengths(lengths), torch.full((len(chosen),), 2),
                               reduction="sum").backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    total = gradient([0]) + gradient([1]) + gradient([2])
    torch.testing.assert_close(gradient([0, 1, 2]), total, rtol=1e-4, atol=1e-6)


def test_reversal_turns_each_utterance_round_and_back():
    lengths = torch.tensor([4, 1, 3])
    x = torch.arange(12).reshape(4, 3, 1)
    turned = x.flatten(0, 1)[reversal(lengths, 4)].view_as(x)
    assert turned[:, 0, 0].tolist() == [9, 6, 3, 0]
    assert turned[:, 1, 0].tolist() == [1, 4, 7, 10]
    assert turned[:, 2, 0].tolist() == [8, 5, 2, 11]
    assert torch.equal(turned.flatten(0, 1)[reversal(lengths, 4)].view_as(x), x)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_layer_equals_packed_bidirectional_layer(cell):
    torch.manual_seed(1)
    layer = RecurrentLayer(cell, 5, 6, bidirectional=True)
    packed = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](5, 6, bidirectional=True)
    for name, parameter in layer.forward_rnn.named_parameters():
        getattr(packed, name).data = parameter.data
    for name, parameter in layer.backward_rnn.named_parameters():
        getattr(packed, f"{name}_reverse").data = parameter.data
    lengths = torch.tensor([9, 3, 7])
    x = torch.randn(9, 3, 5)
    sequence = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(packed(sequence)[0])
    found = layer(x, lengths)
    expected = layer.norm(expected)
    for column, n in enumerate(lengths):
        torch.testing.assert_close(found[:n, column], expected[:n, column])


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "10000")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_directions_side_by_side_are_those_one_after_the_other(cell, dtype, two_threads):
    torch.manual_seed(1)
    layer = RecurrentLayer(cell, 5, 6, bidirectional=True)
    layer.norm = nn.Identity()  # torch's own sums differ with the number of threads in bfloat16
    lengths = torch.tensor([9, 3, 7])
    x, weights = torch.randn(9, 3, 5, requires_grad=True), torch.randn(9, 3, 12)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with torch.autocast("cpu", dtype, dtype != torch.float32):
            y = layer(x, lengths)
            with torch.inference_mode():
                torch.testing.assert_close(layer(x, lengths), y.detach())
        (y * weights).sum().backward()
        found.append([y.detach(), x.grad, *(p.grad for p in layer.parameters())])
        x.grad = None
        layer.zero_grad()
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(two, one)


def test_a_frozen_layer_side_by_side_passes_gradients_on(two_threads):
    layer = RecurrentLayer("lstm", 5, 6, bidirectional=True)
    lengths = torch.tensor([9, 3])
    x = torch.randn(9, 2, 5, requires_grad=True)
    layer(x, lengths).square().sum().backward()
    expected, x.grad = x.grad, None
    layer.zero_grad()
    for parameter in layer.backward_rnn.parameters():
        parameter.requires_grad_(False)
    layer(x, lengths).square().sum().backward()
    torch.testing.assert_close(x.grad, expected)
    assert layer.backward_rnn.weight_hh_l0.grad is None
    assert layer.forward_rnn.weight_hh_l0.grad is not None


def test_a_fault_in_one_direction_is_told(two_threads):
    layer = RecurrentLayer("lstm", 5, 6, bidirectional=True)
    with pytest.raises(RuntimeError, match="5"):
        layer(torch.randn(4, 1, 7), torch.tensor([4]))


def test_fused_layer_equals_the_lstm_equations_gate_by_gate():
    """Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000), in plain numpy."""
    torch.manual_seed(2)
    layer = RecurrentLayer("lstm", 4, 3, bidirectional=False)
    layer.norm = nn.Identity()
    w = {name: p.detach().numpy().astype(np.float64)
         for name, p in layer.forward_rnn.named_parameters()}
    x = np.random.default_rng(0).standard_normal((6, 4))
    h = c = np.zeros(3)
    expected = []
    for frame in x:
        total = (w["weight_ih_l0"] @ frame + w["bias_ih_l0"] + w["weight_hh_l0"] @ h
                 + w["bias_hh_l0"])
        i, f, g, o = total[:3], total[3:6], total[6:9], total[9:]
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        expected.append(h)
    found = layer(torch.tensor(x[:, None], dtype=torch.float32), torch.tensor([6]))[:, 0]
    np.testing.assert_allclose(found.detach(), expected, atol=1e-6)


def test_initial_weights():
    layer = RecurrentLayer("lstm", 8, 8, bidirectional=True)
    for rnn in (layer.forward_rnn, layer.backward_rnn):
        weights = rnn.weight_hh_l0.detach()
        torch.testing.assert_close(weights.T @ weights, torch.eye(8), atol=1e-5, rtol=0)
        bias = (rnn.bias_ih_l0 + rnn.bias_hh_l0).detach()
        assert bias.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16


def ctc_forward(log_posteriors, labels):
    """The recursion of Graves et al. 2006, eq. 6-8, in probabilities."""
    p = np.exp(log_posteriors.astype(np.float64))
    extended = [0, *itertools.chain.from_iterable((label, 0) for label in labels)]
    alpha = np.zeros(len(extended))
    alpha[:2] = p[0, extended[:2]]
    for t in range(1, len(p)):
        new = np.zeros_like(alpha)
        for s, label in enumerate(extended):
            new[s] = alpha[s] + (alpha[s - 1] if s else 0)
            if s > 1 and label != 0 and label != extended[s - 2]:
                new[s] += alpha[s - 2]
            new[s] *= p[t, label]
        alpha = new
    return -np.log(alpha[-1] + (alpha[-2] if labels else 0))


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 2], [2, 1, 2], [2, 2, 1]])
def test_ctc_loss_equals_recursion_and_sum_over_all_paths(labels):
    random = np.random.default_rng(len(labels))
    posteriors = torch.tensor(random.standard_normal((5, 3))).log_softmax(1)
    total = 0.0
    for path in itertools.product(range(3), repeat=5):
        merged = [unit for unit, _ in itertools.groupby(path) if unit]
        if merged == labels:
            total += np.exp(sum(float(posteriors[t, unit]) for t, unit in enumerate(path)))
    found = nn.functional.ctc_loss(posteriors, torch.tensor(labels, dtype=torch.long),
                                   torch.tensor(5), torch.tensor(len(labels)), reduction="sum")
    assert float(found) == pytest.approx(-np.log(total))
    assert ctc_forward(posteriors.numpy(), labels) == pytest.approx(-np.log(total))


def test_dropout_masks_are_a_function_of_the_seed():
    config = ModelConfig(dropout=0.25, layers=3, units=41, bidirectional=False)
    masks = dropout_masks(config, torch.tensor([5, -7]), 60)
    assert [mask.shape for mask in masks] == [(60, 2, 41)] * 3
    for mask, alone in zip(masks, dropout_masks(config, torch.tensor([-7]), 50), strict=True):
        assert torch.equal(mask[:50, 1:], alone)
        assert float(mask.float().mean()) == pytest.approx(0.75, abs=0.02)
    assert len({mask[:, column].numpy().tobytes() for mask in masks for column in (0, 1)}) == 6
    assert dropout_masks(ModelConfig(projection=24), torch.tensor([1]), 7)[0].shape == (7, 1, 24)
    assert dropout_masks(ModelConfig(dropout=0), torch.tensor([1]), 7) is None


def test_dropout_masks_are_splitmix64():
    """Its published first numbers of the seed 1234567, byte by byte from the lowest."""
    numbers = [6457827717110365317, 3203168211198807973, 9817491932198370423,
               4593380528125082431, 16408922859458223821]
    drawn = np.array(numbers, np.uint64).astype("<u8").view(np.uint8)
    config = ModelConfig(dropout=0.5, layers=1, units=20, bidirectional=False, projection=0)
    golden = 0x9E3779B97F4A7C15  # the first number is of a state that is one step on
    mask, = dropout_masks(config, torch.tensor([1234567 + golden - (1 << 64)]), 1)
    assert mask[0, 0].tolist() == (drawn[:20] >= 128).tolist()


def test_dropout_keeps_the_expected_output():
    """Averaged over many masks, one layer gives what it gives without dropout."""
    model = network(layers=1)
    model.head = nn.Identity()
    frames, statistics = utterances([9])
    x = torch.from_numpy(frames[0][None]).float()
    lengths = torch.tensor([9])

    def output(dropout):
        """Log-softmax of the sum of both: compare differences, which it leaves alone."""
        y = model(x, lengths, torch.from_numpy(statistics), dropout)
        return y - y[..., :1]

    masks = [dropout_masks(model.config, torch.tensor([seed]), 3) for seed in range(3000)]
    mean = torch.stack([output(mask) for mask in masks]).mean(0)
    torch.testing.assert_close(mean, output(None), atol=0.1, rtol=0)


def test_what_is_kept_makes_up_for_the_share_that_is_drawn():
    """0.3 is drawn as 77 of 256; nothing is dropped of a share that is none of 256."""
    model = network(layers=1)
    model.head = nn.Identity()
    frames, statistics = utterances([9])
    given = (torch.from_numpy(frames[0][None]).float(), torch.tensor([9]),
             torch.from_numpy(statistics))
    whole = [torch.ones(3, 1, model.config.width)]
    scores = [model(*given, mask) for mask in (None, whole)]
    plain, raised = (each - each[..., :1] for each in scores)
    torch.testing.assert_close(raised, plain * 256 / (256 - 77))
    assert dropout_masks(ModelConfig(dropout=0.001), torch.tensor([0]), 3) is None


def test_dropout_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="dropout"):
        ModelConfig(dropout=0.999)


def test_no_frames_at_all_give_no_posteriors():
    frames, statistics = utterances([0, 5])
    empty, some = log_posteriors(network(), frames, statistics)
    assert empty.shape == (0, SYMBOLS)
    assert some.shape == (2, SYMBOLS)
    assert np.allclose(np.exp(some).sum(1), 1)
