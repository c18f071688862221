"""LJSpeech's layout: `metadata.csv` with `id|text|normalised text`, audio in `wavs/`."""

from pathlib import Path

from asr.errors import AsrError
from asr.files import read_lines
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete


def prepare_ljspeech(folder: Path, normaliser: str = "librispeech",
                     skip_unreadable: bool = False) -> list[Utterance]:
    """Utterances of a single reader, who is named after the folder.

    The third column is the text where it is there and not empty, else the second.

    Parameters
    ----------
    folder : Path
        Holds `metadata.csv` and `wavs/`.
    normaliser, skip_unreadable
        See `complete`.

    Raises
    ------
    AsrError
        A line has not two or three columns, or as `complete`.
    """
    speaker = folder.resolve().name
    entries = []
    for number, line in enumerate(read_lines(folder / "metadata.csv"), start=1):
        columns = line.split("|")
        if len(columns) not in (2, 3):
            raise AsrError(f"{folder / 'metadata.csv'}:{number}: expected `id|text|normalised "
                           f"text`, found {len(columns)} columns")
        entries.append(Entry(columns[0], folder / "wavs" / columns[0], columns[-1] or columns[1],
                             speaker))
    return complete(entries, normaliser, skip_unreadable)
