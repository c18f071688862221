"""CMU AN4 (Census): people spelling and counting; 948 training and 130 test utterances.

`etc/an4_train.fileids` lists audio under `wav/` without suffix, `etc/an4_train.transcription`
their texts; `an4_test` likewise.
"""

import re
from pathlib import Path

from asr.errors import AsrError
from asr.files import read_lines
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete

_TRANSCRIPT = re.compile(r"(.*)\(([^()\s]+)\)\s*")  # <s> TEXT </s> (id)
_MARKER = re.compile(r"<[^<>\s]*>|\+\+[^+\s]*\+\+")  # <s>, </s>, <sil>, ++noise++


def prepare_an4(corpus: Path, normaliser: str = "librispeech",
                skip_unreadable: bool = False) -> dict[str, list[Utterance]]:
    """Utterances by part: `train`, `dev` and, if the corpus holds it, `test`.

    AN4 has no development part: every eighth of the sorted speakers of the training part,
    the first among them, is held out as `dev` (10 of 74 speakers).

    Parameters
    ----------
    corpus : Path
        The folder that holds `etc/` and `wav/`.
    normaliser, skip_unreadable
        See `complete`.

    Returns
    -------
    dict of str to list of Utterance
        `extra` holds `gender` (F or M, the first letter of the speaker's name).

    Raises
    ------
    AsrError
        A list is not there, a transcript is missing or broken, or as `complete`.
    """
    training = _entries(corpus, "an4_train")
    held_out = set(sorted({entry.speaker for entry in training})[::8])
    parts = {"train": [entry for entry in training if entry.speaker not in held_out],
             "dev": [entry for entry in training if entry.speaker in held_out]}
    if (corpus / "etc" / "an4_test.fileids").is_file():
        parts["test"] = _entries(corpus, "an4_test")
    return {name: complete(entries, normaliser, skip_unreadable)
            for name, entries in parts.items()}


def _entries(corpus: Path, part: str) -> list[Entry]:
    transcription = corpus / "etc" / f"{part}.transcription"
    texts = {}
    for number, line in enumerate(read_lines(transcription), start=1):
        match = _TRANSCRIPT.fullmatch(line)
        if match:
            texts[match[2]] = _MARKER.sub(" ", match[1])
        elif line.strip():
            raise AsrError(f"{transcription}:{number}: expected `<s> TEXT </s> (id)`")
    entries = []
    for line in filter(str.strip, read_lines(corpus / "etc" / f"{part}.fileids")):
        audio = corpus / "wav" / line.strip()
        if audio.name not in texts:
            raise AsrError(f"{transcription}: no text for {audio.name}")
        speaker = audio.parent.name
        entries.append(Entry(audio.name, audio, texts[audio.name], speaker,
                             extra={"gender": speaker[0].upper()}))
    return entries
