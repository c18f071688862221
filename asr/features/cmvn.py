"""Cepstral mean and variance normalisation (of log-mel frames as well)."""

from collections.abc import Sequence

import numpy as np

_STD_FLOOR = 1e-2  # a dimension that hardly moves must not be blown up into noise


def moments(frames: np.ndarray) -> np.ndarray:
    """Sums that add up over utterances.

    Parameters
    ----------
    frames : np.ndarray, shape = (T, F)

    Returns
    -------
    np.ndarray, shape = (3, F), float64
        Count, sum and sum of squares of each dimension.
    """
    wide = frames.astype(np.float64)
    return np.stack([np.full(frames.shape[1], len(frames), np.float64), wide.sum(0),
                     np.square(wide).sum(0)])


def statistics(sums: np.ndarray) -> np.ndarray:
    """Mean and reciprocal standard deviation from `moments`.

    Parameters
    ----------
    sums : np.ndarray, shape = (..., 3, F)

    Returns
    -------
    np.ndarray, shape = (..., 2, F), float32
        Normalised = (frame − [0]) · [1].
    """
    count = np.maximum(sums[..., 0, :], 1)
    mean = sums[..., 1, :] / count
    variance = np.maximum(sums[..., 2, :] / count - mean**2, 0)
    scale = 1 / np.maximum(np.sqrt(variance), _STD_FLOOR)
    return np.stack([mean, scale], axis=-2).astype(np.float32)


def statistics_of(kind: str, sums: np.ndarray, speakers: Sequence[str],
                  training: np.ndarray | None) -> np.ndarray:
    """Each utterance's normalisation.

    Parameters
    ----------
    kind : str
        `FeatureConfig.cmvn`.
    sums : np.ndarray, shape = (N, 3, F)
        The utterances' `moments`.
    speakers : sequence of N str
        Utterances of one speaker share their statistics where `kind` is "speaker".
    training : np.ndarray, shape = (2, F)
        The training set's statistics, for "global".

    Returns
    -------
    np.ndarray, shape = (N, 2, F), float32
    """
    if kind == "utterance":
        return statistics(sums)
    if kind == "speaker":
        _, group = np.unique(speakers, return_inverse=True)
        total = np.zeros((group.max() + 1, *sums.shape[1:]))
        np.add.at(total, group, sums)
        return statistics(total)[group]
    if kind == "global":
        assert training is not None, "a model with global normalisation carries its statistics"
        return np.broadcast_to(training, (len(sums), *training.shape))
    identity = np.stack([np.zeros(sums.shape[2]), np.ones(sums.shape[2])])
    return np.broadcast_to(identity.astype(np.float32), (len(sums), 2, sums.shape[2]))
