"""SplitMix64 (Steele et al. 2014): random numbers that need nothing but a seed and a place.

So they are drawn where they are used, all at once and the same on every device.
"""

from torch import Tensor

# As signed integers.
_GOLDEN, _FIRST, _SECOND = (constant - (1 << 64) for constant in
                            (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def words(seeds: Tensor, places: Tensor) -> Tensor:
    """64 random bits each; both int64, of shapes that go together."""
    z = places * _GOLDEN + seeds
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        z ^= (z >> shift) & ((1 << 64 - shift) - 1)  # torch shifts copies of the sign in
        z *= factor
    z ^= (z >> 31) & ((1 << 33) - 1)
    return z


def uniform(seeds: Tensor, places: Tensor) -> Tensor:
    """As `words`, but numbers from 0 up to below 1, float64."""
    return ((words(seeds, places) >> 11) & ((1 << 53) - 1)).double() * 2.0**-53
