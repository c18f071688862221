"""Where samples come from, block by block, as they are spoken."""

import time
from collections.abc import Iterator

import numpy as np

from asr.errors import AsrError, one_line
from asr.progress import log

BLOCK = 0.1
"""Seconds of audio in a block."""


def paced(samples: np.ndarray, sample_rate: int, speed: float) -> Iterator[np.ndarray]:
    """A recording in blocks, each given when its last sample would have been spoken.

    Parameters
    ----------
    samples : np.ndarray, shape = (samples,), float32
    speed : float
        1 is real time, 2 twice as fast; 0 as fast as blocks are taken.
    """
    start = time.monotonic()
    size = round(BLOCK * sample_rate)
    for end in range(size, len(samples) + size, size):
        if speed > 0:
            due = start + min(end, len(samples)) / sample_rate / speed
            time.sleep(max(0.0, due - time.monotonic()))
        yield samples[end - size:end]


def microphone(sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks from the machine's microphone, without end.

    Raises
    ------
    AsrError
        sounddevice is not installed, or there is no microphone that has such a rate.
    """
    try:
        import sounddevice
    except ImportError:
        raise AsrError("the microphone needs sounddevice: pip install 'asr[mic]'; or name an audio "
                       "file") from None
    except OSError as error:  # its wheel for Linux is without the library
        raise AsrError(f"sounddevice cannot load PortAudio ({one_line(error)}); install that, "
                       "e.g. apt-get install libportaudio2") from None
    size, lost = round(BLOCK * sample_rate), False
    try:
        with sounddevice.InputStream(samplerate=sample_rate, channels=1, dtype="float32",
                                     latency="high") as stream:
            while True:
                samples, overflowed = stream.read(size)
                if overflowed and not lost:
                    lost = True
                    log("asr: warning: samples of the microphone were lost; the machine is too "
                        "slow")
                yield samples[:, 0]
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AsrError(f"no microphone at {sample_rate} Hz ({one_line(error)}); name an audio file "
                       "instead") from None
