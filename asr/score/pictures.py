"""What a network hears of the utterances with most errors, and what it takes them for."""

import base64
import io
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from asr.audio import audio_info, read_audio
from asr.errors import AsrError
from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.progress import log, track
from asr.score.report import Report

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

PICTURES = 30
"""So many utterances have one: each takes some 9 kB a second."""
LONGEST = 60.0
"""Seconds; longer utterances have none."""
_SEEN = 0.02  # least posterior that is drawn
_QUALITY = 60  # of the image, as Pillow counts it
_SQUEEZED = 0.8  # of the sound, as libsndfile counts it: some 26 kbit/s


def pictures(report: Report, bundle_folder: Path) -> dict[int, dict[str, Any]]:
    """Pictures of the utterances with most errors whose audio is there, by their index.

    Returns
    -------
    dict of int to dict
        What report.html's script draws: `seconds`; `sound`, MP3 in base64; `image`, the log mel
        spectrogram as WebP in base64, low bands at the bottom; `step`, seconds a frame of the
        posteriors lasts; `blank`, each frame's posterior of the blank in percent; `units`, for
        each stretch in which a unit's posterior is seen its symbol, first frame and percents.

    Raises
    ------
    AsrError
        The bundle cannot be loaded, or there is no utterance that can be drawn.
    """
    from asr.model.bundle import load_bundle

    bundle = load_bundle(bundle_folder)
    heard = islice(_heard(report, bundle.config.features), PICTURES)
    total = min(PICTURES, len(report.score.ids))
    drawn = {index: _picture(samples, bundle)
             for index, samples in track(heard, "pictures", total)}
    if not drawn:
        raise AsrError(f"no posteriors to show: {report.reference} names no audio that can be read "
                       f"and lasts no longer than {LONGEST:.0f} s")
    return drawn


def _heard(report: Report, config: FeatureConfig) -> Iterator[tuple[int, np.ndarray]]:
    """Utterances whose audio is there, by their errors, with their samples."""
    for index in report.score.by_errors().tolist():
        transcript = report.transcripts[index]
        if transcript.audio is None or not Path(transcript.audio).is_file():
            continue
        try:
            path, start, duration = Path(transcript.audio), transcript.start, transcript.duration
            if duration is None:
                duration = audio_info(path).duration - start
            if duration > LONGEST:
                continue
            samples = read_audio(path, config.sample_rate, start, duration)
        except AsrError as error:
            log(f"asr: no picture of {report.score.ids[index]}: {error}")
            continue
        if config.frames(len(samples)):
            yield index, samples


def _picture(samples: np.ndarray, bundle: "Bundle") -> dict[str, Any]:
    posteriors = np.exp(bundle.log_posteriors_of_audio([samples])[0])
    sound = io.BytesIO()
    soundfile.write(sound, samples, bundle.sample_rate, format="MP3",
                    compression_level=_SQUEEZED)
    return {"seconds": len(samples) / bundle.sample_rate, "sound": _base64(sound),
            "image": _base64(_spectrogram(samples, bundle.sample_rate)),
            "step": bundle.frame_shift, "blank": _percents(posteriors[:, 0]),
            "units": [[bundle.units.symbols[unit], first, _percents(stretch)]
                      for unit, first, stretch in _stretches(posteriors)]}


def _spectrogram(samples: np.ndarray, sample_rate: int) -> io.BytesIO:
    """The 80 log mel energies of each 10 ms, dark where loud, as an image in WebP."""
    from PIL import Image

    frames = extract(samples, FeatureConfig(sample_rate=sample_rate)).astype(np.float32)
    low, high = np.quantile(frames, (0.05, 0.995))
    grey = 255 * (1 - np.clip((frames - low) / max(high - low, 1e-3), 0, 1))
    image = io.BytesIO()
    Image.fromarray(grey.T[::-1].astype(np.uint8)).save(image, "WEBP", quality=_QUALITY)
    return image


def _stretches(posteriors: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Unit, first frame and posteriors of what is seen of all units but the blank."""
    for unit in range(1, posteriors.shape[1]):
        seen = np.flatnonzero(posteriors[:, unit] >= _SEEN)
        edges = [0, *np.flatnonzero(np.diff(seen) > 1) + 1, len(seen)]
        for begin, end in pairwise(edges):
            if begin < end:
                first, last = int(seen[begin]), int(seen[end - 1])
                yield unit, first, posteriors[first:last + 1, unit]


def _percents(posteriors: np.ndarray) -> list[int]:
    return np.round(100 * posteriors).astype(int).tolist()


def _base64(data: io.BytesIO) -> str:
    return base64.b64encode(data.getvalue()).decode()
