import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.train import ctc_loop
from asr.train.ctc import ctc_loss, occupancies

# On a GPU, and on a CPU: which has its own functions for exponentials, in float32 alone.
BOTH = pytest.mark.parametrize(("find", "dtype"), [
    (occupancies, torch.float64), (ctc_loop.occupancies, torch.float32)])

BATCHES = st.lists(
    st.integers(1, 9).flatmap(lambda frames: st.tuples(
        st.just(frames), st.lists(st.integers(1, 3), max_size=(frames + 1) // 2))),
    min_size=1, max_size=4)


def material(batch, symbols, seed, dtype=torch.float32):
    lengths = torch.tensor([frames for frames, _ in batch])
    label_lengths = torch.tensor([len(labels) for _, labels in batch])
    labels = torch.tensor([label for _, labels in batch for label in labels], dtype=torch.long)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(int(lengths.max()), len(batch), symbols, dtype=dtype,
                         generator=generator)
    return logits, labels, lengths, label_lengths


def alignments(labels, frames, symbols):
    """All rows of `frames` units that CTC reads as these labels."""
    for path in itertools.product(range(symbols), repeat=frames):
        if [unit for unit, _ in itertools.groupby(path) if unit] == labels:
            yield path


@BOTH
@settings(deadline=None, max_examples=60)
@given(batch=BATCHES, seed=st.integers(0, 99))
def test_it_is_torchs_loss_and_gradient(find, dtype, batch, seed):
    logits, *rest = material(batch, 4, seed, dtype)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss, occupancy = find(ours.log_softmax(2), *rest)
    expected = F.ctc_loss(theirs.log_softmax(2), *rest, reduction="sum")
    if not torch.isfinite(expected):  # repeated labels may need more frames
        assert torch.isinf(loss).any()
        return
    torch.testing.assert_close(loss.sum(), expected)
    expected.backward()
    (-(occupancy.detach() * ours.log_softmax(2)).sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@BOTH
def test_occupancies_are_those_of_all_alignments(find, dtype):
    batch = [(5, [1, 2, 1]), (4, [2]), (3, [])]
    logits, labels, lengths, label_lengths = material(batch, 3, 0, dtype)
    posteriors = logits.log_softmax(2)
    loss, occupancy = find(posteriors, labels, lengths, label_lengths)
    for n, (frames, row) in enumerate(batch):
        expected = torch.zeros(5, 3, dtype=dtype)
        total = 0.0
        for path in alignments(row, frames, 3):
            probability = float(sum(posteriors[t, n, unit] for t, unit in enumerate(path)).exp())
            total += probability
            for t, unit in enumerate(path):
                expected[t, unit] += probability
        assert float((-loss[n]).exp()) == pytest.approx(total)
        torch.testing.assert_close(occupancy[:, n], expected / total)


@BOTH
def test_what_is_past_an_utterance_changes_nothing(find, dtype):
    batch = [(9, [1, 2]), (4, [3, 3])]
    logits, *rest = material(batch, 4, 1, dtype)
    posteriors = logits.log_softmax(2)
    loss, occupancy = find(posteriors, *rest)
    posteriors[4:, 1] = torch.nan
    again, same = find(posteriors, *rest)
    assert torch.equal(loss, again)
    assert torch.equal(occupancy, same)
    assert not occupancy[4:, 1].any()


@BOTH
def test_posteriors_that_are_no_numbers_have_no_loss(find, dtype):
    logits, *rest = material([(9, [1, 2]), (9, [])], 4, 1, dtype)
    logits[3] = torch.nan
    assert find(logits.log_softmax(2), *rest)[0].isnan().all()


@pytest.mark.parametrize("sharpness", [0.1, 3, 30])
def test_long_utterances_keep_their_digits(sharpness):
    """Where the labels are improbable, the way through them is e^-10000 of all that there is."""
    generator = torch.Generator().manual_seed(4)
    batch = [(1500, torch.randint(1, 40, (700,), generator=generator).tolist()), (900, [1] * 300)]
    logits, *rest = material(batch, 40, 2)
    logits *= sharpness
    logits[..., 0] += sharpness
    exact = logits.double().requires_grad_()
    expected = F.ctc_loss(exact.log_softmax(2), *rest, reduction="none")
    expected.sum().backward()
    ours = logits.clone().requires_grad_()
    loss = ctc_loss(ours.log_softmax(2), *rest)
    loss.backward()
    torch.testing.assert_close(loss.double(), expected.sum(), rtol=1e-6, atol=0)
    torch.testing.assert_close(ours.grad.double(), exact.grad, rtol=0, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_is_the_processors_with_the_same_bits_each_time():
    generator = torch.Generator().manual_seed(3)
    batch = [(int(frames), torch.randint(1, 80, (int(frames) // 3,), generator=generator).tolist())
             for frames in torch.randint(200, 400, (24,), generator=generator)]
    logits, *rest = material(batch, 80, 0)
    losses, gradients = [], []
    for device in ("cpu", "cuda", "cuda", "cuda"):
        own = logits.to(device, copy=True).requires_grad_()
        loss = ctc_loss(own.log_softmax(2), *rest)
        loss.backward()
        losses.append(loss.detach().cpu())
        gradients.append(own.grad.cpu())
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=2e-3)
    for gradient in gradients[2:]:
        assert torch.equal(gradient, gradients[1])
