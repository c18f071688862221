"""Randomness by name: a random choice is a function of what it is for, never of what came before.

So the number of workers, a resume after a kill or a shard boundary changes nothing.
"""

import hashlib

import numpy as np


def generator(*name: int | str) -> np.random.Generator:
    """A random generator that belongs to `name`, e.g. `generator(seed, "mask", epoch, id)`.

    Equal names give equal streams on every machine; different names give independent ones.
    """
    return np.random.Generator(np.random.Philox(key=_key(name, 16)))


def seed_of(*name: int | str) -> int:
    """64 bits, as a signed integer, that belong to `name`: for what is drawn on a device."""
    return _key(name, 8) - (1 << 63)


def _key(name: tuple[int | str, ...], size: int) -> int:
    return int.from_bytes(hashlib.blake2b(repr(name).encode(), digest_size=size).digest(), "little")
