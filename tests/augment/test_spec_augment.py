import torch

from asr.augment.spec_augment import apply_spans, spec_augment_spans
from asr.augment.spec_augment_config import SpecAugmentConfig

CONFIG = SpecAugmentConfig(frequency_masks=2, frequency_width=0.25, time_masks_per_second=1.0,
                           time_width=0.5, time_share=0.1)


def seeds(count):
    return torch.arange(count) * 977 - 5


def test_spans_keep_the_limits_and_reach_them():
    lengths = torch.tensor([200, 1000] * 300)
    time, frequency = spec_augment_spans(CONFIG, seeds(600), lengths, 80, 0.01)
    assert time.shape == (600, 10, 2)
    assert frequency.shape == (600, 2, 2)
    width = (time[..., 1] - time[..., 0]).numpy()
    assert (time[..., 1].numpy() <= lengths[:, None].numpy()).all() and (time >= 0).all()
    assert width[::2].max() == 20 and width[1::2].max() == 50 and width.min() == 0
    assert not width[::2, 2:].any()  # two seconds have two masks
    assert abs(width[1::2].mean() - 25) < 1
    bands = (frequency[..., 1] - frequency[..., 0]).numpy()
    assert bands.max() == 20 and (frequency <= 80).all() and (frequency >= 0).all()


def test_a_fixed_number_of_time_masks_knows_no_length():
    config = CONFIG.model_copy(update={"time_masks": 3})
    lengths = torch.tensor([200, 1000] * 100)
    time, _ = spec_augment_spans(config, seeds(200), lengths, 80, 0.01)
    assert time.shape == (200, 3, 2)
    width = (time[..., 1] - time[..., 0]).numpy()
    assert width[::2].max(axis=0).tolist() == [20, 20, 20]
    assert (width[1::2].max(axis=0) >= 48).all()
    none, _ = spec_augment_spans(CONFIG.model_copy(update={"time_masks": 0}), seeds(2),
                                 lengths[:2], 80, 0.01)
    assert none.shape == (2, 0, 2)


def test_masks_are_a_function_of_the_seed():
    lengths = torch.tensor([300, 400, 500])
    together = spec_augment_spans(CONFIG, seeds(3), lengths, 80, 0.01)
    alone = spec_augment_spans(CONFIG, seeds(3)[1:2], lengths[1:2], 80, 0.01)
    assert torch.equal(together[0][1, :4], alone[0][0])
    assert torch.equal(together[1][1], alone[1][0])


def test_apply_zeroes_the_spans_and_nothing_else():
    x = torch.randn(2, 30, 8)
    time = torch.tensor([[[3, 7], [5, 9]], [[0, 0], [29, 30]]])
    frequency = torch.tensor([[[2, 4]], [[0, 0]]])
    expected = x.clone()
    expected[0, 3:9] = 0
    expected[0, :, 2:4] = 0
    expected[1, 29] = 0
    assert torch.equal(apply_spans(x, time, frequency), expected)


def test_no_masks():
    config = SpecAugmentConfig(frequency_masks=0, time_masks_per_second=0)
    time, frequency = spec_augment_spans(config, seeds(2), torch.tensor([5, 9]), 8, 0.01)
    x = torch.randn(2, 9, 8)
    assert torch.equal(apply_spans(x, time, frequency), x)


def test_differences_are_masked_with_their_band():
    lengths = torch.full((50,), 300)
    _, alone = spec_augment_spans(CONFIG, seeds(50), lengths, 80, 0.01)
    _, together = spec_augment_spans(CONFIG, seeds(50), lengths, 80, 0.01, deltas=2)
    frames = torch.ones(50, 1, 80)
    time = torch.zeros(50, 1, 2, dtype=torch.long)
    assert torch.equal(apply_spans(frames.repeat(1, 1, 3), time, together),
                       apply_spans(frames, time, alone).repeat(1, 1, 3))
