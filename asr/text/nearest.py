"""The pronunciation that is nearest to some phones."""

import numpy as np
from numba import njit


class Pronunciations:
    """Sequences of phones in the order of a dictionary, where neighbours begin alike.

    Parameters
    ----------
    phones : np.ndarray, shape = (sum of lengths,), int32
        All sequences, one behind the other.
    lengths : np.ndarray, shape = (N,), int
    """

    def __init__(self, phones: np.ndarray, lengths: np.ndarray) -> None:
        ends = np.cumsum(lengths)
        inside = np.arange(lengths.max(initial=0)) < lengths[:, np.newaxis]
        table = np.full(inside.shape, -1, np.int32)
        table[inside] = phones
        self._order = np.lexsort(table.T[::-1])
        self._phones = phones
        self._starts, self._ends = (ends - lengths)[self._order], ends[self._order]
        table = table[self._order]
        alike = np.logical_and.accumulate(table[1:] == table[:-1], axis=1) & (table[1:] >= 0)
        self._shared = np.append(0, alike.sum(axis=1))

    def nearest(self, phones: np.ndarray) -> int:
        """Number of the sequence that the fewest insertions, deletions and substitutions turn
        into this one (Levenshtein 1966), the first of them.

        Parameters
        ----------
        phones : np.ndarray, shape = (n,), int32
        """
        return int(_nearest(phones, self._phones, self._order, self._starts, self._ends,
                            self._shared))


@njit(nogil=True, cache=True)
def _nearest(query: np.ndarray, phones: np.ndarray, order: np.ndarray, starts: np.ndarray,
             ends: np.ndarray, shared: np.ndarray) -> int:
    """Wagner & Fischer (1974), a row a phone; what neighbours share has its rows from the first of
    them. Small distances are tried first, where most of the sequences are soon too far away.
    """
    longest = (ends - starts).max()
    rows = np.empty((longest + 1, len(query) + 1), np.int32)
    rows[0] = np.arange(len(query) + 1)
    nearest = len(order)
    allowed = max(1, len(query) - longest)
    while nearest == len(order):
        distance = allowed
        too_far = 0  # phones after which no end brings the last sequence near enough
        for i in range(len(order)):
            if 0 < too_far <= shared[i]:
                continue
            too_far = 0
            length = ends[i] - starts[i]
            for depth in range(shared[i] + 1, length + 1):
                phone = phones[starts[i] + depth - 1]
                rows[depth, 0] = lowest = depth
                for j in range(1, len(query) + 1):
                    rows[depth, j] = min(rows[depth - 1, j - 1] + (query[j - 1] != phone),
                                         rows[depth - 1, j] + 1, rows[depth, j - 1] + 1)
                    lowest = min(lowest, rows[depth, j])
                if lowest > distance:
                    too_far = depth
                    break
            if not too_far:
                here = rows[length, len(query)]
                if here < distance or (here == distance and order[i] < nearest):
                    distance, nearest = here, order[i]
        allowed *= 2
    return nearest
