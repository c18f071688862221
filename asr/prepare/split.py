"""A part of a corpus held out, where it has no development set of its own."""

import hashlib
import math
from collections.abc import Sequence
from typing import Literal

from asr.errors import AsrError
from asr.manifest import Utterance

Key = Literal["speaker", "text"]


def split_utterances(utterances: Sequence[Utterance], key: Key, share: float
                     ) -> tuple[list[Utterance], list[Utterance]]:
    """Part utterances so that no speaker, or no text, is on both sides.

    Which are held out is a function of their names: those whose hashes come first. So most stay
    on their side when the corpus grows.

    Parameters
    ----------
    share : float
        Of the speakers or texts, between 0 and 1, rounded up.

    Returns
    -------
    list of Utterance
        The rest, in order.
    list of Utterance
        What is held out, in order.

    Raises
    ------
    AsrError
        Nothing would be left on one side.
    """
    names = {getattr(utterance, key) for utterance in utterances}
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held_out = set(ordered[:math.ceil(share * len(ordered))])
    if not held_out or len(held_out) == len(names):
        raise AsrError(f"cannot hold out {share:g} of {len(names)} {key}s: one side would be empty")
    return ([u for u in utterances if getattr(u, key) not in held_out],
            [u for u in utterances if getattr(u, key) in held_out])
