"""Posteriors of audio of any length, in windows that overlap."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

LONGEST = 30.0
"""Seconds that the network sees at once."""
CONTEXT = 5.0
"""Seconds at each end of a window that are heard for the sake of the rest."""
_BATCH = 8  # windows that the network sees side by side


def windowed_log_posteriors(bundle: "Bundle", samples: np.ndarray) -> np.ndarray:
    """Log posteriors of a recording, which memory does not bound: only they grow with it.

    Audio of more than `LONGEST` is cut into windows of equal length, each heard with `CONTEXT` on
    both sides, where the next windows are. Frames lie where they would without windows; each
    window is normalised like an utterance of its own.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
        Full scale ±1, at `bundle.sample_rate`.

    Returns
    -------
    np.ndarray, shape = (T', V), float32
        Natural logarithms.
    """
    step = bundle.frame_step
    frames = -(-len(samples) // step)  # at least: only whole analysis windows make frames
    longest, context = (round(seconds / bundle.frame_shift) for seconds in (LONGEST, CONTEXT))
    if frames <= longest:
        return bundle.log_posteriors_of_audio([samples])[0]
    count = -(-frames // (longest - 2 * context))
    edges = np.linspace(0, frames, count + 1).astype(int).tolist()
    windows = [(max(0, first - context), first, end)
               for first, end in pairwise(edges)]
    parts = []
    for i in range(0, count, _BATCH):
        batch = windows[i:i + _BATCH]
        heard = bundle.log_posteriors_of_audio(
            [samples[begin * step:(end + context) * step] for begin, _, end in batch])
        parts += [rows[first - begin:end - begin]
                  for rows, (begin, first, end) in zip(heard, batch, strict=True)]
    return np.concatenate(parts)
