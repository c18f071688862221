"""The align stage: recordings and what is said in them become times of words."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asr.align.align import Alignment, align_samples
from asr.align.writers import FORMATS
from asr.audio import read_audio
from asr.errors import AsrError
from asr.files import atomic_write, read_text, write_stdout
from asr.manifest import read_manifest
from asr.model.bundle import load_bundle
from asr.model.device import inference_device
from asr.progress import log, track
from asr.startup import tell_of_compiling
from asr.transcribe.writers import check_stdout


class Spoken(NamedTuple):
    """A stretch of a file and what is said in it."""

    name: str
    """What the result is called."""
    audio: Path
    text: str
    start: float = 0.0
    duration: float | None = None
    """Seconds; to the end of the file by default."""


def spoken_in(source: Path, transcript: Path | None, text: str | None) -> list[Spoken]:
    """What is to be aligned: the utterances of a manifest, or one file with its transcript.

    Parameters
    ----------
    source : Path
        Audio, or a manifest (.jsonl), which has texts of its own.
    transcript, text
        A file with the transcript, or the transcript itself; one of them goes with audio.
    """
    if source.suffix == ".jsonl":
        if transcript is not None or text is not None:
            raise AsrError(f"{source}: a manifest has its own texts; leave the transcript out")
        return [Spoken(u.id, Path(u.audio), u.text, u.start, u.duration)
                for u in read_manifest(source)]
    if (transcript is None) == (text is None):
        raise AsrError(f"{source}: give its transcript, as a file or by --text")
    return [Spoken(source.stem, source, text or "" if transcript is None else
                   read_text(transcript))]


def align_files(bundle_folder: Path, spoken: Sequence[Spoken], formats: Sequence[str],
                output: Path | None, allow_unknown: bool) -> int:
    """Align one after the other, each written as soon as it is done.

    Parameters
    ----------
    formats : sequence of str
        Keys of `asr.align.writers.FORMATS`.
    output : Path, optional
        Folder for `<name>.<extension>`; stdout by default.

    Returns
    -------
    int
        How many could not be aligned; each got a line on stderr.

    Raises
    ------
    AsrError
        None could be aligned, the bundle cannot be loaded, or the output could not hold all.
    """
    _check(spoken, formats, output)
    tell_of_compiling()
    bundle = load_bundle(bundle_folder, inference_device())
    failed = 0
    # No bar beside results on stdout: rich would take them over to its own stream.
    for item in spoken if output is None else track(spoken, "align", len(spoken)):
        try:
            samples = read_audio(item.audio, bundle.sample_rate, item.start, item.duration)
            alignment = align_samples(bundle, samples, item.text, allow_unknown)
        except AsrError as error:
            if len(spoken) == 1:
                raise
            log(f"asr: {item.name}: {error}")
            failed += 1
            continue
        for start, end, what in alignment.misfits:
            log(f"asr: {item.name}: from {start:.1f} to {end:.1f} s {what}")
        _write(item.name, alignment, formats, output)
    if failed == len(spoken):
        raise AsrError(f"none of the {failed} utterances could be aligned")
    if failed:
        log(f"asr: {failed} of {len(spoken)} utterances could not be aligned")
    return failed


def _check(spoken: Sequence[Spoken], formats: Sequence[str], output: Path | None) -> None:
    if output is None:
        check_stdout(formats, FORMATS[formats[0]].joins, len(spoken), "utterances")
        return
    for item in spoken:
        if Path(item.name).name != item.name or "\0" in item.name:
            raise AsrError(f"the id {item.name!r} cannot name a file in {output}; write to stdout")


def _write(name: str, alignment: Alignment, formats: Sequence[str], output: Path | None) -> None:
    for key in formats:
        rendered = FORMATS[key].render(name, alignment)
        if output is None:
            write_stdout(rendered)
        else:
            with atomic_write(output / f"{name}.{FORMATS[key].extension}") as file:
                file.write(rendered)
