"""What every importer shares: what a corpus says → utterances with their lengths → manifest."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr.audio import SUFFIXES, AudioInfo, audio_info
from asr.errors import AsrError
from asr.manifest import Utterance, audio_path, parse_record, write_records
from asr.parallel import cores, ordered_map
from asr.progress import log, track
from asr.text.normalise import normaliser as find_normaliser

MAX_OVERSHOOT = 0.5  # seconds a segment may pass the file's end, as in Kaldi's extract-segments


@dataclass(frozen=True)
class Entry:
    """What a corpus's own files say about an utterance; the audio's header says the rest."""

    id: str
    audio: Path
    """Without suffix, or with that of a recoded file, it stands for whichever format is there."""
    text: str
    speaker: str
    start: float = 0.0
    duration: float | None = None
    """Seconds; None where it lasts to the end of the file."""
    extra: dict[str, str] = field(default_factory=dict)


def complete(entries: Sequence[Entry], normaliser: str = "librispeech",
             skip_unreadable: bool = False) -> list[Utterance]:
    """Read the audio headers (in parallel) and normalise the texts.

    Parameters
    ----------
    skip_unreadable : bool
        Leave out utterances without usable audio, naming each on stderr, instead of refusing.

    Returns
    -------
    list of Utterance
        In the order of the entries, with absolute audio paths.

    Raises
    ------
    AsrError
        There is no entry, an id occurs twice, or audio is missing or unreadable; the first
        faults are named and all are counted.
    """
    normalise = find_normaliser(normaliser)
    twice = [id_ for id_, count in Counter(entry.id for entry in entries).items() if count > 1]
    if twice:
        raise AsrError(f"ids must be unique, but some occur more than once: {_first(twice)}")
    headers = _headers(entry.audio for entry in entries)
    utterances, faults = [], []
    for entry in entries:
        try:
            utterances.append(_utterance(entry, headers[entry.audio], normalise))
        except AsrError as error:
            faults.append(f"{entry.id} ({error})")
    if faults and not skip_unreadable:
        raise AsrError(f"{len(faults):,} of {len(entries):,} utterances have no usable audio; mend "
                       f"the corpus or leave them out with --skip-unreadable: {_first(faults)}")
    for fault in faults:
        log(f"left out: {fault}")
    if not utterances:
        raise AsrError("the corpus holds no usable utterance")
    return utterances


def write_corpus(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a manifest and say on stderr what is in it.

    Raises
    ------
    AsrError
        It cannot be written, or a file that is no manifest is there: the corpus's own, perhaps.
    """
    if path.is_file() and not _is_manifest(path):
        raise AsrError(f"{path}: a file that is no manifest is there; name another, or move it "
                       "away")
    write_records(path, utterances)
    log(f"{path}: {len(utterances):,} utterances, "
        f"{sum(u.duration for u in utterances) / 3600:.2f} h, "
        f"{len({u.speaker for u in utterances}):,} speakers, "
        f"{sum(len(u.text.split()) for u in utterances):,} words")


def _is_manifest(path: Path) -> bool:
    """Whether its first line is an utterance, or nothing is in it."""
    with path.open("rb") as file:
        line = file.readline(1 << 20).decode("utf-8-sig", "replace")
    try:
        if line:
            parse_record(line, Utterance)
    except AsrError:
        return False
    return True


def find_audio(path: Path) -> Path:
    """The file of that name, or the first of that name in another of `SUFFIXES`, capitals last.

    Raises
    ------
    AsrError
        There is none.
    """
    name = path.stem if path.suffix.lower() in SUFFIXES else path.name
    suffixes = (*SUFFIXES, *map(str.upper, SUFFIXES))
    try:
        for candidate in (path, *(path.with_name(name + suffix) for suffix in suffixes)):
            if candidate.is_file():
                return candidate
    except (OSError, ValueError) as error:  # no permission; no possible file name
        raise AsrError(f"{path}: {getattr(error, 'strerror', error)}") from None
    raise AsrError(f"{path.with_name(name)}: no such file, in no format")


def _headers(paths: Iterable[Path]) -> dict[Path, tuple[Path, AudioInfo] | AsrError]:
    def header(path: Path) -> tuple[Path, AudioInfo] | AsrError:
        try:
            found = find_audio(path)
            return found, audio_info(found)
        except AsrError as error:
            return error

    unique = list(dict.fromkeys(paths))
    threads = 4 * cores()  # they mostly wait for the disk
    found = track(ordered_map(header, unique, threads), "reading headers", len(unique))
    return dict(zip(unique, found, strict=True))


def _utterance(entry: Entry, header: tuple[Path, AudioInfo] | AsrError,
               normalise: Callable[[str], str]) -> Utterance:
    if isinstance(header, AsrError):
        raise header
    path, info = header
    rest = info.duration - entry.start
    if rest <= 0:
        raise AsrError(f"{path}: nothing in it after {entry.start:g} s")
    if entry.duration is not None and entry.duration > rest + MAX_OVERSHOOT:
        raise AsrError(f"{path}: ends {entry.duration - rest:.2f} s before the utterance does")
    return Utterance(id=entry.id, audio=audio_path(path), text=normalise(entry.text),
                     speaker=entry.speaker, start=entry.start,
                     duration=rest if entry.duration is None else min(entry.duration, rest),
                     sample_rate=info.sample_rate, extra=entry.extra)


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], "…"] if len(names) > 3 else names)
