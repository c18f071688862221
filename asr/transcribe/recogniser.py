"""A model that is ready to transcribe, for programs in Python."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from asr.audio import check_rate, check_samples
from asr.decode.hypotheses import Search
from asr.errors import AsrError
from asr.transcribe.recognise import End
from asr.transcribe.transcribe import Segment, Transcript, transcribe_file, transcribe_recordings

if TYPE_CHECKING:
    from asr.model.bundle import Bundle


class Recogniser:
    """A model bundle and how its posteriors are searched; see `asr.load_model`."""

    def __init__(self, bundle: "Bundle", search: Search) -> None:
        self.bundle = bundle
        self.search = search

    def transcribe(self, audio: str | Path | np.ndarray, sample_rate: int | None = None
                   ) -> Transcript:
        """Transcribe a recording.

        Parameters
        ----------
        audio : str, Path, or np.ndarray of shape (samples,) or (samples, channels)
            A file (see `asr.audio.audio_blocks`), or its samples: floats of full scale ±1, or
            integers of the full scale of their type (unsigned ones around its middle, as in 8-bit
            WAV files). Channels are mixed.
        sample_rate : int, optional
            Of samples, in Hz; the model's by default. A file says its own.

        Raises
        ------
        AsrError
            The file cannot be read as audio, or the samples are not finite or of another shape,
            type or rate.
        """
        if not isinstance(audio, np.ndarray):
            return transcribe_file(self.bundle, audio, self.search)
        rate = self.bundle.sample_rate if sample_rate is None else sample_rate
        check_rate(rate, "sample_rate")
        samples = self._prepared(audio, rate)
        *segments, end = transcribe_recordings(self.bundle, [[samples]], self.search)
        assert isinstance(end, End)
        return Transcript("", "", end.duration, [s for s in segments if isinstance(s, Segment)])

    def _prepared(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """Mono float32 samples at the model's rate."""
        if audio.ndim not in (1, 2):
            raise AsrError(f"samples of shape {audio.shape}; give (samples,) or (samples, "
                           "channels)")
        if audio.ndim == 2 and (audio.shape[1] == 0 or 0 < len(audio) < audio.shape[1]):
            raise AsrError(f"samples of shape {audio.shape}, so {audio.shape[1]} channels; give "
                           "(samples, channels), the transpose (.T) if channels come first")
        if audio.dtype.kind != "f" and (audio.dtype.kind not in "iu" or audio.dtype.itemsize > 4):
            raise AsrError(f"samples of type {audio.dtype}; give floats, or integers of up to 32 "
                           "bits, whose full scale is their type's")
        samples = audio.astype(np.float32)
        if audio.dtype.kind != "f":
            full_scale = np.float32(2 ** (8 * audio.dtype.itemsize - 1))
            middle = full_scale if audio.dtype.kind == "u" else 0
            samples = (samples - middle) / full_scale
        if audio.ndim == 2:
            samples = samples.mean(axis=1)
        check_samples(samples, "samples")
        if sample_rate != self.bundle.sample_rate:
            samples = soxr.resample(samples, sample_rate, self.bundle.sample_rate)
        return samples
