"""Cuts in long audio, so that memory and the recurrent network's context stay bounded."""

import numpy as np

LONGEST = 30.0  # seconds
_FRAME = 0.01  # seconds over which energy is summed first
_PAUSE = 30  # such frames whose total energy decides: a stop consonant is shorter


def segment(samples: np.ndarray, sample_rate: int, longest: float = LONGEST
            ) -> list[tuple[int, int]]:
    """Cut audio at its quietest places into segments of at most `longest` seconds.

    Each cut lies in the middle of the 0.3 s of least energy in the second half of what a segment
    may hold, so that segments but the last last between half and the whole of `longest`.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32

    Returns
    -------
    list of (first, end)
        Sample positions; the segments follow each other without gap or overlap. Short audio is
        one segment.
    """
    limit = round(longest * sample_rate)
    frame = max(1, round(_FRAME * sample_rate))
    spans = []
    start = 0
    while len(samples) - start > limit:
        half = start + limit // 2
        cut = half + frame * _quietest(samples[half:start + limit], frame)
        spans.append((start, cut))
        start = cut
    return [*spans, (start, len(samples))]


def _quietest(samples: np.ndarray, frame: int) -> int:
    """The frame in the middle of the `_PAUSE` frames that have the least energy."""
    frames = samples[:len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    energy = np.einsum("tn,tn->t", frames, frames)
    width = min(_PAUSE, len(energy))
    return int(np.convolve(energy, np.ones(width), "valid").argmin()) + width // 2
