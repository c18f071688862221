"""Compiled arithmetic of the beam search."""

import numpy as np
from numba import njit


@njit(nogil=True)
def add_logs(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    if not b - a > -40.0:  # exp(-40) is below float64's resolution; also where both are -inf
        return a
    return a + np.log1p(np.exp(b - a))


@njit(nogil=True)
def kth_largest(values: np.ndarray, k: int) -> float:
    """The k-th largest value, k from 1 (Hoare's quickselect); reorders `values`."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return values[k - 1]
