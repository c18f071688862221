import numpy as np
import torch
from scipy import stats

from asr.splitmix import uniform, words


def test_the_words_are_those_of_other_implementations():
    """Of the seed 1234567, as Rosetta Code lists them."""
    found = words(torch.tensor(1234567), torch.arange(1, 6))
    assert found.numpy().view(np.uint64).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821]


def test_uniform_numbers_are_uniform():
    found = uniform(torch.arange(200)[:, None] - 100, torch.arange(500))
    assert found.dtype == torch.float64 and found.shape == (200, 500)
    assert found.min() >= 0 and found.max() < 1
    assert stats.kstest(found.flatten().numpy(), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(found[:, :-1].flatten(), found[:, 1:].flatten())[0, 1]) < 0.01
