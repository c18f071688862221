"""Mozilla Common Voice: a TSV of sentences with the clips in `clips/` beside it."""

from pathlib import Path

from asr.errors import AsrError
from asr.files import read_lines
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete

_EXTRA = ("age", "gender", "accent", "accents", "variant", "locale")


def prepare_commonvoice(tsv: Path, normaliser: str = "librispeech",
                        skip_unreadable: bool = False) -> list[Utterance]:
    """Utterances of one list, such as `validated.tsv`.

    Parameters
    ----------
    tsv : Path
        Columns `path` and `sentence`; `client_id` is the speaker, and where it is empty or
        missing every clip counts as a speaker of its own.
    normaliser, skip_unreadable
        See `complete`.

    Returns
    -------
    list of Utterance
        The id is the clip's name; `extra` holds age, gender, accent … where they are given.

    Raises
    ------
    AsrError
        A column is missing, a row has not as many columns as the header, or as `complete`.
    """
    header, *rows = [line.split("\t") for line in read_lines(tsv)] or [[]]
    for column in ("path", "sentence"):
        if column not in header:
            raise AsrError(f"{tsv}: no column `{column}` in its first line")
    entries = []
    for number, values in enumerate(rows, start=2):
        if len(values) != len(header):
            raise AsrError(f"{tsv}:{number}: {len(values)} columns, the header has {len(header)}")
        row = dict(zip(header, values, strict=True))
        clip = tsv.parent / "clips" / row["path"]
        entries.append(Entry(clip.stem, clip, _unquoted(row["sentence"]),
                             row.get("client_id") or clip.stem,
                             extra={key: row[key] for key in _EXTRA if row.get(key)}))
    return complete(entries, normaliser, skip_unreadable)


def _unquoted(sentence: str) -> str:
    """Some releases quote sentences as CSV does, others only double the quotation marks."""
    if len(sentence) > 1 and sentence[0] == sentence[-1] == '"':
        sentence = sentence[1:-1]
    return sentence.replace('""', '"')
