"""Randomness by name: a random choice is a function of what it is for, never of what came before.

So the number of workers, a resume after a kill or a shard boundary changes nothing.
"""

import hashlib

import numpy as np


def generator(*name: int | str) -> np.random.Generator:
    """A random generator that belongs to `name`, e.g. `generator(seed, "mask", epoch, id)`.

    Equal names give equal streams on every machine; different names give independent ones.
    """
    digest = hashlib.blake2b(repr(name).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
