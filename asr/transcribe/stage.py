"""The transcribe stage: recordings become transcripts, one bad file not keeping the others."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from asr.decode.settings import SearchRequest, prepare_search
from asr.errors import AsrError
from asr.memory import return_freed_memory
from asr.model.bundle import bundle_files, load_bundle
from asr.model.device import inference_device
from asr.parallel import cores, ordered_map
from asr.progress import clock, log, real_time_factor, track_audio
from asr.shards import WHOLE, Shard
from asr.transcribe.outputs import Folder, Stdout
from asr.transcribe.recognise import End
from asr.transcribe.sources import Source, find_sources
from asr.transcribe.transcribe import Segment, Transcript, transcribe_recordings


def transcribe_files(bundle_folder: Path, arguments: Sequence[Path], formats: Sequence[str],
                     output: Path | None, request: SearchRequest, shard: Shard = WHOLE) -> int:
    """Transcribe recordings in order, each written as soon as it is done.

    Parameters
    ----------
    arguments : sequence of Path
        See `asr.transcribe.sources.find_sources`.
    formats : sequence of str
        Keys of `asr.transcribe.writers.FORMATS`.
    output : Path, optional
        Folder for `<name of the audio without suffix>.<extension>`. What is finished there, by the
        same model with the same settings, is left as it is. Without it the transcripts go to
        stdout: of several recordings, text lines each have the name in front.

    Returns
    -------
    int
        How many recordings of the shard could not be read; each got a line on stderr.

    Raises
    ------
    AsrError
        None could be read, the bundle cannot be loaded, the output cannot be written, holds
        somebody's own files, or could not hold all transcripts apart.
    """
    everything = find_sources(arguments)
    if output is None and shard.count > 1:
        raise AsrError("--shard and torchrun need --output DIR: several processes cannot share "
                       "stdout")
    out = Stdout(everything, formats) if output is None else Folder(everything, formats, output)
    share = list(shard.share(everything))
    bundle = load_bundle(bundle_folder, inference_device())
    with ThreadPoolExecutor(1) as aside:  # while language model and lexicon are loaded
        network = aside.submit(bundle.prepare)
        search = prepare_search(bundle, request)
    network.result()
    sources = share if isinstance(out, Stdout) else out.unfinished(
        share, [*request.depends(), *bundle_files(bundle_folder)])
    if not sources:
        return 0
    return_freed_memory()
    total = sum(ordered_map(Source.seconds, sources, 4 * cores()))
    began = time.monotonic()
    events = track_audio(_timed(transcribe_recordings(
        bundle, (source.blocks(bundle.sample_rate) for source in sources), search)),
        "transcribe", total)
    failed, heard = 0, 0.0
    for source in sources:
        segments, end = _collect(events, partial(out.segment, source))
        heard += end.duration
        if end.error is None:
            out.transcript(source, Transcript(source.name, source.bare_name, end.duration,
                                              segments))
            continue
        if len(everything) == 1:
            raise end.error
        log(f"asr: {end.error}")
        failed += 1
    if failed == len(everything):
        raise AsrError(f"none of the {failed} recordings could be transcribed")
    if failed:
        log(f"asr: {failed} of {len(share)} recordings could not be transcribed")
    wall = time.monotonic() - began
    log(f"asr: {heard / 3600:.2f} h of audio in {clock(wall)}, {real_time_factor(heard, wall)}")
    return failed


def _timed(events: Iterable[Segment | End]) -> Iterator[tuple[float, Segment | End]]:
    """Each event with the seconds of audio up to it."""
    before = 0.0
    for event in events:
        if isinstance(event, End):
            before += event.duration
            yield before, event
        else:
            yield before + event.end, event


def _collect(events: Iterator[Segment | End], show: Callable[[Segment], None]
             ) -> tuple[list[Segment], End]:
    """The segments of the next recording, each shown when it comes, and its end."""
    segments: list[Segment] = []
    for event in events:
        if isinstance(event, End):
            return segments, event
        show(event)
        segments.append(event)
    raise AssertionError("every recording has an end")
