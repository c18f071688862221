import numpy as np
import pytest
import torch

from asr.augment.spec_augment import apply_spans
from asr.augment.spec_augment_config import SpecAugmentConfig
from asr.features.store import Store
from asr.model.config import ModelConfig
from asr.model.network import Network, dropout_masks
from asr.text.units import CharacterUnits
from asr.train.data import TrainingSet
from asr.train.objective import Objective
from asr.train.step import Gradients, consistency

MODEL = ModelConfig(layers=1, units=8, channels=2, dropout=0.3)


@pytest.fixture
def training(stores):
    store = Store.open(stores[0])
    units = CharacterUnits.from_texts([entry.text for entry in store.entries])
    torch.manual_seed(0)
    network = Network(MODEL, store.config.dimension, len(units))
    statistics = np.tile(np.array([0.0, 1.0], np.float32)[:, None], (len(store), 1, 12))
    return TrainingSet(store, statistics, [entry.text for entry in store.entries], units, network,
                       "refuse", nonspeech=False), network


@pytest.fixture
def batch(training):
    return training[0].batch(list(range(0, 14, 2)), 0, 1, SpecAugmentConfig(), 1, 0, 1)


def gradients_of(network):
    return [parameter.grad.clone() for parameter in network.parameters()]


def adding(network, weight=0.0):
    return Gradients(network, torch.device("cpu"), torch.float32,
                     torch.amp.GradScaler("cpu", enabled=False), Objective(), weight)


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("views", [1, 2])
def test_the_parts_of_a_batch_have_its_gradient_together(training, parts, views):
    data, network = training
    batch = data.batch(list(range(0, 14, 2)), 0, 1, SpecAugmentConfig(), views, 0, 1)
    whole = adding(network, 0.3).add(batch)
    expected = gradients_of(network)
    network.zero_grad()
    pieces = batch.split(parts)
    assert [id for piece in pieces for id in piece.ids] == batch.ids
    assert len(pieces) == parts
    loss = sum(adding(network, 0.3).add(piece) for piece in pieces)
    torch.testing.assert_close(loss, whole)
    for found, gradient in zip(gradients_of(network), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-4), (torch.float16, 0.05)])
def test_a_gpu_has_the_gradients_of_the_processor(training, monkeypatch, dtype, allowed):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    data, network = training
    batch = data.batch(list(range(0, 14, 2)), 0, 1, SpecAugmentConfig(), 2, 0, 1)
    expected_loss = adding(network, 0.3).add(batch)
    expected = gradients_of(network)
    network.zero_grad()
    scale = 256.0
    scaler = torch.amp.GradScaler("cuda", init_scale=scale)
    gradients = Gradients(network.cuda(), torch.device("cuda"), dtype, scaler, Objective(), 0.3)
    torch.testing.assert_close(gradients.add(batch).cpu(), expected_loss, rtol=allowed, atol=0)
    for found, gradient in zip(gradients_of(network), expected, strict=True):
        assert (found.cpu() / scale - gradient).norm() <= allowed * gradient.norm()


def test_two_views_that_are_alike_are_one(training):
    """Without masks and dropout there is nothing to differ in."""
    data, network = training
    nothing = SpecAugmentConfig(frequency_masks=0, time_masks_per_second=0)
    network.config = MODEL.model_copy(update={"dropout": 0.0})
    found = []
    for views in (1, 2):
        loss = adding(network, 5.0).add(data.batch([0, 2, 4], 0, 1, nothing, views, 0, 1))
        found.append([loss, *gradients_of(network)])
        network.zero_grad()
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)


def test_two_views_are_masked_otherwise_and_drawn_to_each_other(training):
    data, network = training
    batch = data.batch([0, 2, 4, 6], 0, 1, SpecAugmentConfig(), 2, 0, 1)
    single = data.batch([0, 2, 4, 6], 0, 1, SpecAugmentConfig(), 1, 0, 1)
    assert torch.equal(batch.frequency_spans[:4], single.frequency_spans)
    assert not torch.equal(batch.frequency_spans[:4], batch.frequency_spans[4:])
    assert torch.equal(batch.seeds[:4], single.seeds)
    assert len(set(batch.seeds.tolist())) == 8
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    apart = []
    for _ in range(20):
        adder = adding(network, 50.0)
        with torch.no_grad():
            x = network.normalise(batch.frames.x, batch.frames.lengths, batch.frames.statistics)
            lengths = batch.frames.lengths.repeat(2)
            x = apply_spans(x.repeat(2, 1, 1), batch.time_spans, batch.frequency_spans)
            posteriors = network.from_normalised(x, lengths, dropout_masks(
                network.config, batch.seeds, int(network.output_lengths(lengths).max())))
            apart.append(float(consistency(posteriors, network.output_lengths(lengths))))
        network.zero_grad()
        adder.add(batch)
        optimiser.step()
    assert apart[-1] < 0.5 * apart[0]


def test_consistency_by_its_formula():
    random = np.random.default_rng(0)
    posteriors = torch.tensor(random.standard_normal((5, 4, 3))).log_softmax(2).requires_grad_()
    lengths = torch.tensor([5, 3, 5, 3])
    p = posteriors.detach().exp().numpy()
    expected = 0.0
    for a, b, length in ((0, 2, 5), (1, 3, 3)):
        for t in range(length):
            for first, second in ((a, b), (b, a)):
                expected += 0.5 * (p[t, first] * np.log(p[t, first] / p[t, second])).sum()
    found = consistency(posteriors, lengths)
    assert found.item() == pytest.approx(expected)
    found.backward()  # of D(b ‖ a) with b as given: -b / 2 with respect to log a
    expected_gradient = -0.5 * np.concatenate([p[:, 2:], p[:, :2]], axis=1)
    expected_gradient[3:, [1, 3]] = 0
    np.testing.assert_allclose(posteriors.grad.numpy(), expected_gradient, atol=1e-12)


def with_room_for(network, utterances, monkeypatch, error):
    """Let the network run out of memory beyond so many; returns the sizes that were tried."""
    tried, run = [], network.from_normalised

    def cramped(x, lengths, dropout):
        tried.append(len(x))
        result = run(x, lengths, dropout)
        if len(x) > utterances:
            raise error
        return result
    monkeypatch.setattr(network, "from_normalised", cramped)
    return tried


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")])
def test_a_batch_that_does_not_fit_is_done_in_parts(training, batch, monkeypatch, capsys, error):
    _, network = training
    loss = adding(network).add(batch)
    expected = gradients_of(network)
    network.zero_grad()
    tried = with_room_for(network, 2, monkeypatch, error)
    adder = adding(network)
    torch.testing.assert_close(adder.add(batch), loss)
    for found, gradient in zip(gradients_of(network), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)
    assert tried == [7, 3, 1, 2, 2, 2]  # whole, the first half, quarters
    assert "7 utterances of up to" in capsys.readouterr().err
    network.zero_grad()
    tried.clear()
    adder.add(batch)  # now it is known
    assert max(tried) <= 2


def test_an_utterance_that_does_not_fit_is_told(training, batch, monkeypatch):
    _, network = training
    with_room_for(network, 0, monkeypatch, torch.OutOfMemoryError("full"))
    with pytest.raises(torch.OutOfMemoryError):
        adding(network).add(batch)


def test_other_errors_are_not_taken_for_a_lack_of_memory(training, batch, monkeypatch):
    _, network = training
    tried = with_room_for(network, 0, monkeypatch, RuntimeError("shapes do not agree"))
    with pytest.raises(RuntimeError, match="shapes"):
        adding(network).add(batch)
    assert tried == [7]
