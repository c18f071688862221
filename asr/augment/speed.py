"""Speed perturbation (Ko et al. 2015, audio augmentation)."""

import numpy as np
import soxr


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play faster (> 1) or slower, pitch included.

    Parameters
    ----------
    samples : np.ndarray, shape = (n,), float32

    Returns
    -------
    np.ndarray, shape = (about n / speed,), float32
    """
    return samples if speed == 1 else soxr.resample(samples, speed, 1.0)
