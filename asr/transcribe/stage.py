"""The transcribe stage: audio files become transcripts, one bad file not keeping the others."""

from collections.abc import Sequence
from pathlib import Path

from asr.decode.settings import SearchRequest, prepare_search
from asr.errors import AsrError
from asr.files import atomic_write, cannot_write
from asr.model.bundle import load_bundle
from asr.model.inference import inference_device
from asr.progress import log, track
from asr.shards import WHOLE, Shard
from asr.transcribe.transcribe import Transcript, transcribe_file
from asr.transcribe.writers import FORMATS


def transcribe_files(bundle_folder: Path, paths: Sequence[Path], formats: Sequence[str],
                     output: Path | None, request: SearchRequest, shard: Shard = WHOLE) -> int:
    """Transcribe files one after the other, each written as soon as it is done.

    Parameters
    ----------
    formats : sequence of str
        Keys of `asr.transcribe.writers.FORMATS`.
    output : Path, optional
        Folder for `<name of the audio without suffix>.<extension>`. Without it the transcripts
        go to stdout: of several files, text lines each have the file's path in front.

    Returns
    -------
    int
        How many files could not be read; each got a line on stderr.

    Raises
    ------
    AsrError
        No file could be read, the bundle cannot be loaded, the output cannot be written, or it
        could not hold all transcripts apart.
    """
    if output is not None:
        _prepare(output, paths)
    elif shard.count > 1:
        raise AsrError("--shard and torchrun need --output DIR: several processes cannot share "
                       "stdout")
    else:
        _check_stdout(formats, len(paths))
    paths = shard.share(paths)
    if not paths:
        return 0
    bundle = load_bundle(bundle_folder, str(inference_device()))
    search = prepare_search(bundle, request)
    failed = 0
    # No bar beside transcripts on stdout: rich would take them over to its own stream.
    for path in paths if output is None else track(paths, "transcribe", len(paths)):
        try:
            transcript = transcribe_file(bundle, path, search)
        except AsrError as error:
            if len(paths) == 1:
                raise
            log(f"asr: {error}")
            failed += 1
            continue
        if output is None:
            print(_for_stdout(transcript, formats[0], len(paths)), end="", flush=True)
        else:
            _write(transcript, formats, output / path.stem)
    if failed == len(paths):
        raise AsrError(f"none of the {failed} files could be transcribed")
    if failed:
        log(f"asr: {failed} of {len(paths)} files could not be transcribed")
    return failed


def _check_stdout(formats: Sequence[str], files: int) -> None:
    if len(formats) > 1:
        raise AsrError(f"stdout takes one format, not {len(formats)} ({', '.join(formats)}); give "
                       "--output DIR for several")
    if files > 1 and not FORMATS[formats[0]].joins:
        raise AsrError(f"several files cannot make one {formats[0]}; give --output DIR for a file "
                       "each")


def _prepare(output: Path, paths: Sequence[Path]) -> None:
    """Make the folder, unless two inputs would be written to one name in it."""
    sources: dict[str, Path] = {}
    for path in paths:
        if path.stem in sources:
            raise AsrError(f"{sources[path.stem]} and {path} would both be written as "
                           f"{output / path.stem}.*; give them separate --output folders")
        sources[path.stem] = path
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(output, error) from error


def _for_stdout(transcript: Transcript, name: str, files: int) -> str:
    rendered = FORMATS[name].render(transcript)
    if name != "text" or files == 1:
        return rendered
    lines = rendered.splitlines() or [""]  # a file without words is named all the same
    return "".join(f"{transcript.file}: {line}".rstrip() + "\n" for line in lines)


def _write(transcript: Transcript, formats: Sequence[str], target: Path) -> None:
    for name in formats:
        with atomic_write(target.with_name(f"{target.name}.{FORMATS[name].extension}")) as file:
            file.write(FORMATS[name].render(transcript))
