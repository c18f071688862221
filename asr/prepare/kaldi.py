"""Kaldi data directories: `wav.scp`, `text`, `utt2spk`, and `segments` if there are any."""

from contextlib import suppress
from pathlib import Path

from asr.errors import AsrError
from asr.files import read_lines
from asr.manifest import Utterance
from asr.prepare.corpus import Entry, complete, find_audio


def prepare_kaldi(folder: Path, normaliser: str = "librispeech",
                  skip_unreadable: bool = False) -> list[Utterance]:
    """Utterances of a data directory, in the order of `text`.

    Parameters
    ----------
    folder : Path
        Relative audio paths in `wav.scp` count from it, from its parent or from the working
        directory, whichever holds the file. Entries that are commands (`… |`) are refused:
        nothing from data is ever run.
    normaliser, skip_unreadable
        See `complete`.

    Returns
    -------
    list of Utterance
        `extra` holds what further `utt2…` and `spk2…` files say (`spk2gender` as `gender`).

    Raises
    ------
    AsrError
        A file is missing or broken, an utterance has no audio or speaker, or as `complete`.
    """
    recordings = _table(folder / "wav.scp")
    speakers = _table(folder / "utt2spk")
    segments = _segments(folder / "segments", recordings)
    by_utterance = _tables(folder, "utt2")
    by_speaker = _tables(folder, "spk2")
    entries = []
    for id_, text in _table(folder / "text").items():
        if id_ not in speakers:
            raise AsrError(f"{folder / 'utt2spk'}: no speaker for {id_}")
        if id_ not in segments:
            raise AsrError(f"{folder}: {id_} has a text but no audio")
        recording, start, duration = segments[id_]
        speaker = speakers[id_]
        extra = {name: table[id_] for name, table in by_utterance.items() if id_ in table} \
            | {name: table[speaker] for name, table in by_speaker.items() if speaker in table}
        entries.append(Entry(id_, _audio_path(folder, recordings[recording]), text, speaker,
                             start, duration, extra))
    return complete(entries, normaliser, skip_unreadable)


def _table(path: Path) -> dict[str, str]:
    """`key value…` lines; a value may be empty, as a text is where nothing was said."""
    table: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        key, *value = line.split(maxsplit=1) or [""]
        if not key or key in table:
            raise AsrError(f"{path}:{number}: " + (f"{key} for the second time" if key
                                                   else "an empty line"))
        table[key] = value[0].strip() if value else ""
    return table


def _tables(folder: Path, prefix: str) -> dict[str, dict[str, str]]:
    return {path.name.removeprefix(prefix): _table(path)
            for path in sorted(folder.glob(f"{prefix}*"))
            if path.name not in ("utt2spk", "spk2utt")}


def _segments(path: Path, recordings: dict[str, str]) -> dict[str, tuple[str, float, float | None]]:
    """Recording, start and duration by utterance; without the file, each recording is one."""
    if not path.is_file():
        return {recording: (recording, 0.0, None) for recording in recordings}
    segments: dict[str, tuple[str, float, float | None]] = {}
    for id_, line in _table(path).items():
        try:
            recording, start, end = line.split()
            length = float(end) - float(start) if float(end) != -1 else None  # -1: to the end
        except ValueError:
            raise AsrError(f"{path}: {id_}: expected `recording start end`, found {line!r}") \
                from None
        if not float(start) >= 0 or (length is not None and not length > 0):  # NaN, too
            raise AsrError(f"{path}: {id_}: from {start} to {end} s is no stretch of time")
        if recording not in recordings:
            raise AsrError(f"{path}: {id_}: recording {recording} is not in wav.scp")
        segments[id_] = recording, float(start), length
    return segments


def _audio_path(folder: Path, entry: str) -> Path:
    if "|" in (entry[:1], entry[-1:]):
        raise AsrError(f"{folder / 'wav.scp'}: `{entry}` is a command, and commands in data are "
                       "never run; write the audio to files and list these")
    for base in (folder, folder.parent, Path.cwd()):
        with suppress(AsrError):
            return find_audio(base / entry)
    return folder / entry
