import numpy as np
import pytest
import torch

from asr.augment.spec_augment import SpecAugmentConfig
from asr.features.store import Store
from asr.model.config import ModelConfig
from asr.model.network import Network
from asr.text.units import CharacterUnits
from asr.train.data import TrainingSet
from asr.train.step import Gradients, out_of_memory

MODEL = ModelConfig(layers=1, units=8, channels=2, dropout=0.3)


@pytest.fixture
def training(stores):
    store = Store.open(stores[0])
    units = CharacterUnits.from_texts([entry.text for entry in store.entries])
    torch.manual_seed(0)
    network = Network(MODEL, store.config.dimension, len(units))
    statistics = np.tile(np.array([0.0, 1.0], np.float32)[:, None], (len(store), 1, 12))
    return TrainingSet(store, statistics, [entry.text for entry in store.entries], units, network,
                       "refuse"), network


@pytest.fixture
def batch(training):
    return training[0].batch(list(range(0, 14, 2)), 0, 1, SpecAugmentConfig(), MODEL, 0, 1)


def gradients_of(network):
    return [parameter.grad.clone() for parameter in network.parameters()]


def adding(network):
    return Gradients(network, torch.device("cpu"), torch.float32,
                     torch.amp.GradScaler("cpu", enabled=False))


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_the_parts_of_a_batch_have_its_gradient_together(training, batch, parts):
    _, network = training
    whole = adding(network).add(batch)
    expected = gradients_of(network)
    network.zero_grad()
    pieces = batch.split(parts)
    assert [id for piece in pieces for id in piece.ids] == batch.ids
    assert len(pieces) == parts
    loss = sum(adding(network).add(piece) for piece in pieces)
    torch.testing.assert_close(loss, whole)
    for found, gradient in zip(gradients_of(network), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


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


def test_what_torch_says_when_memory_runs_out():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 50)
    assert out_of_memory(error.value)
