"""A part of a corpus held out, where it has no development set of its own."""

import hashlib
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from asr.errors import AsrError
from asr.files import same_place
from asr.manifest import Utterance, audio_path, read_manifest
from asr.prepare.corpus import write_corpus

Key = Literal["speaker", "text"]


def split_manifest(manifest: Path, rest: Path, held_out: Path, key: Key, share: float) -> None:
    """Write two manifests that part a third, see `split_utterances`.

    Raises
    ------
    AsrError
        Two of the paths are one, the manifest cannot be read, or nothing would be left on one
        side.
    """
    for one, other in combinations((manifest, rest, held_out), 2):
        if same_place(one, other):
            raise AsrError(f"{one} and {other} are one file; name three different ones")
    utterances = [u.model_copy(update={"audio": audio_path(Path(u.audio))})
                  for u in read_manifest(manifest)]
    for path, side in zip((rest, held_out), split_utterances(utterances, key, share), strict=True):
        write_corpus(path, side)


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
    if not 0 < share < 1:  # NaN, too
        raise AsrError(f"cannot hold out {share:g}: expected a share between 0 and 1")
    names = {getattr(utterance, key) for utterance in utterances}
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held_out = set(ordered[:math.ceil(share * len(ordered))])
    if not held_out or len(held_out) == len(names):
        raise AsrError(f"cannot hold out {share:g} of {len(names)} {key}s: one side would be empty")
    return ([u for u in utterances if getattr(u, key) not in held_out],
            [u for u in utterances if getattr(u, key) in held_out])
