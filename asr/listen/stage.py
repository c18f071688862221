"""The listen stage: a microphone, or a file as if it were one, to texts as they are spoken."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from asr.audio import read_audio
from asr.decode.settings import SearchRequest, prepare_search
from asr.errors import AsrError
from asr.listen.blocks import microphone, paced
from asr.listen.display import rewritten, show_plainly
from asr.listen.latency import Latency
from asr.listen.listener import Listener
from asr.listen.text_stream import Final, Partial
from asr.model.bundle import load_bundle
from asr.model.summary import reach
from asr.progress import log
from asr.startup import tell_of_compiling
from asr.train.signals import StopSignals


def listen_to(bundle_folder: Path, audio: Path | None, request: SearchRequest, speed: float,
              silence: float) -> int | None:
    """Print what is said while it is said, until the file ends or a signal comes; on the CPU.

    Parameters
    ----------
    audio : Path, optional
        A file; without it the microphone is listened to.
    speed : float
        Of the file, see `asr.listen.blocks.paced`.
    silence : float
        Seconds after which an utterance is over.

    Returns
    -------
    int or None
        Number of the signal that ended it, if one did.

    Raises
    ------
    AsrError
        The model or the search cannot be used for that, or the audio cannot be had.
    """
    if audio is None and speed != 1:
        raise AsrError("--speed is a file's; the microphone has its own")
    tell_of_compiling()
    bundle = load_bundle(bundle_folder)
    search = prepare_search(bundle, request)
    listener = Listener(bundle, search, silence)
    rate = bundle.sample_rate
    # All that is compiled is loaded now, not while somebody speaks.
    warm = Listener(bundle, search, silence)
    warm.push(np.zeros(rate, np.float32))
    warm.finish()
    blocks = microphone(rate) if audio is None else paced(read_audio(audio, rate), rate, speed)
    look_ahead = reach(bundle.config.model, bundle.config.features).look_ahead
    assert look_ahead is not None
    latency = Latency(look_ahead)
    with StopSignals() as signals, _display() as show:
        for samples in blocks:
            start = time.perf_counter()
            events = listener.push(samples)
            latency.block(len(samples) / rate, time.perf_counter() - start, events)
            for event in events:
                show(event)
            if signals.caught:
                break
        start = time.perf_counter()
        events = listener.finish()
        latency.texts(time.perf_counter() - start, events)
        for event in events:
            show(event)
    log(latency.report())
    return signals.caught


def _display() -> AbstractContextManager[Callable[[Partial | Final], None]]:
    if not sys.stdout.isatty():
        return nullcontext(show_plainly)
    from rich.console import Console

    return rewritten(Console())
