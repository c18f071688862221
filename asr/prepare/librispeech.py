"""LibriSpeech and mini LibriSpeech (Panayotov et al. 2015), and whatever is laid out alike.

`<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac`, the texts of a chapter in
`<speaker>-<chapter>.trans.txt` beside, and tables of speakers and chapters above the subsets.
"""

from pathlib import Path

from asr.errors import AsrError
from asr.files import read_lines
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete

MINI_DEV = "dev-clean-2"  # a part of dev-clean, as a folder or as a list of ids


def prepare_librispeech(corpus: Path, subset: str, normaliser: str = "librispeech",
                        skip_unreadable: bool = False) -> list[Utterance]:
    """Utterances of one subset, sorted by chapter.

    Parameters
    ----------
    corpus : Path
        The folder that holds the subset folders, or its parent that holds `LibriSpeech/`.
    subset : str
        Name of the subset's folder. `dev-clean-2` without a folder of its own is taken from
        dev-clean by the ids in `dev-clean-2.utts` beside it.
    normaliser, skip_unreadable
        See `complete`.

    Returns
    -------
    list of Utterance
        `extra` holds `chapter` and, where the corpus's tables are there, `gender` (F or M) and
        `book` (Project Gutenberg's number).

    Raises
    ------
    AsrError
        The subset is not there or not named by a name, a line of a text has no id, or as
        `complete`.
    """
    if "/" in subset or subset in ("", ".", ".."):  # it names the manifest, too
        raise AsrError(f"subset {subset!r}: expected the name of a folder in {corpus}, such as "
                       "dev-clean")
    root = librispeech_root(corpus)
    entries = _chosen(_entries(root, "dev-clean"), root / f"{MINI_DEV}.utts") \
        if _is_list(root, subset) else _entries(root, subset)
    return complete(entries, normaliser, skip_unreadable)


def librispeech_root(corpus: Path) -> Path:
    """The folder of the subset folders: `corpus/LibriSpeech` if there, else `corpus`."""
    inner = corpus / "LibriSpeech"
    return inner if inner.is_dir() else corpus


def has_subset(corpus: Path, subset: str) -> bool:
    """Whether `prepare_librispeech` finds the subset."""
    root = librispeech_root(corpus)
    return (root / subset).is_dir() or _is_list(root, subset)


def _is_list(root: Path, subset: str) -> bool:
    """Whether the subset is there as ids of dev-clean."""
    return subset == MINI_DEV and (root / f"{MINI_DEV}.utts").is_file() \
        and (root / "dev-clean").is_dir() and not (root / subset).is_dir()


def _entries(root: Path, subset: str) -> list[Entry]:
    folder = root / subset
    if not folder.is_dir():
        raise AsrError(f"{folder}: no such folder; name the folder that holds {subset}/, or fetch "
                       "it with --download")
    genders = _column(root / "SPEAKERS.TXT", 1)
    books = _column(root / "CHAPTERS.TXT", 5)
    entries = []
    for transcript in sorted(folder.glob("*/*/*.trans.txt")):
        chapter = transcript.parent.name
        speaker = transcript.parent.parent.name
        extra = {"gender": genders.get(speaker), "chapter": chapter, "book": books.get(chapter)}
        known = {key: value for key, value in extra.items() if value}
        for number, line in enumerate(read_lines(transcript), start=1):
            if not line.strip():
                continue
            id_, _, text = line.partition(" ")
            try:
                audio = transcript.with_name(id_)
            except ValueError:
                raise AsrError(f"{transcript}:{number}: expected `id TEXT`, found {line!r}") \
                    from None
            entries.append(Entry(id_, audio, text, speaker, extra=known))
    if not entries:
        raise AsrError(f"{folder}: no <speaker>/<chapter>/*.trans.txt in it")
    return entries


def _chosen(entries: list[Entry], ids: Path) -> list[Entry]:
    wanted = set(read_lines(ids))
    chosen = [entry for entry in entries if entry.id in wanted]
    if len(chosen) < len(wanted):
        missing = min(wanted - {entry.id for entry in chosen})
        raise AsrError(f"{ids}: {len(wanted) - len(chosen)} of its {len(wanted)} ids are not in "
                       f"dev-clean, the first is {missing!r}")
    return chosen


def _column(path: Path, index: int) -> dict[str, str]:
    """A column of a `|`-parted table with `;` comments, by the first; empty without the file."""
    column: dict[str, str] = {}
    for number, line in enumerate(read_lines(path) if path.is_file() else [], start=1):
        fields = [field.strip() for field in line.split("|")]
        if not line.strip() or line.startswith(";"):
            continue
        if len(fields) <= index:
            raise AsrError(f"{path}:{number}: {len(fields)} columns, not as many as it should have")
        column[fields[0]] = fields[index]
    return column
