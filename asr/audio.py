"""Any audio file → float32 mono samples at the rate that is asked for."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from asr.containers import cut_off
from asr.errors import AsrError
from asr.files import file_name
from asr.progress import log

SUFFIXES = (".flac", ".wav", ".mp3", ".opus", ".ogg", ".oga", ".sph", ".aif", ".aiff", ".au",
            ".caf", ".w64", ".raw")
RAW_SAMPLE_RATE = 16_000  # headerless .raw files (AN4's): 16-bit, 16 kHz, mono
_OTHERS = (".aac", ".amr", ".avi", ".m4a", ".mkv", ".mov", ".mp4", ".webm", ".wma")  # not read
_BLOCK = 1 << 18  # values read at once: memory follows the data, not what the header claims
_RATES = (1_000, 1_000_000)  # Hz; outside of it a few samples would become hours, or hours none
_LOUDEST = 1e6  # times full scale; floats may be beyond it, and their squares overflow from 1e13
_UNKNOWN = (1 << 63) - 1  # libsndfile's number of samples of a FLAC file whose header says none


class _Counted(soundfile.SoundFile):
    """A file that does not say how long it is, since its writer could not go back to do so."""

    samples = 0

    @property
    def frames(self) -> int:
        return self.samples

    def seekable(self) -> bool:
        """False: after each block soundfile would go to where it ends, which fails at the last."""
        return False


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file says."""

    sample_rate: int
    channels: int
    frames: int
    """Samples per channel."""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def audio_info(path: Path) -> AudioInfo:
    """Read the header; nothing is decoded.

    Raises
    ------
    AsrError
        No such file, a directory, empty, in no format that libsndfile knows, or cut off in
        one that `asr.containers` knows.
    """
    with _open(path) as file:
        return AudioInfo(file.samplerate, file.channels, file.frames)


def audio_below(folder: Path) -> list[Path]:
    """The audio files of a folder and its sub-folders, by their names' ending, in order.

    Of others that hold sound, but in formats that libsndfile does not read, a line says how many.

    Raises
    ------
    AsrError
        There is none.
    """
    files = [path for path in folder.rglob("*")
             if path.suffix.lower() in (*SUFFIXES, *_OTHERS) and path.is_file()
             and not path.name.startswith(".")]  # macOS leaves ._name beside name
    found = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    if len(found) < len(files):
        other = next(path for path in files if path.suffix.lower() in _OTHERS)
        log(f"asr: {folder}: {len(files) - len(found)} files that only ffmpeg reads are left out, "
            f"such as {file_name(other)}")
    if not found:
        raise AsrError(f"{folder}: no audio in this folder, that is, no {', '.join(SUFFIXES)} file")
    return found


def read_audio(path: Path, sample_rate: int, start: float = 0.0,
               duration: float | None = None) -> np.ndarray:
    """Decode a file, or a part of it, mix its channels down and resample it.

    Parameters
    ----------
    path : Path
        Anything libsndfile reads (wav, flac, ogg vorbis/opus, mp3, NIST sphere, …), or `.raw`:
        16-bit 16 kHz mono of either byte order.
    sample_rate : int
        Rate of the result in Hz; other rates are resampled by soxr (HQ).
    start, duration : float
        The part to read, in seconds; to the end by default.

    Returns
    -------
    np.ndarray, shape = (samples,), float32
        Full scale is ±1.

    Raises
    ------
    AsrError
        The file cannot be read, is cut off, holds no samples, or samples that are not finite.
    """
    return np.concatenate(list(audio_blocks(path, sample_rate, start, duration)))


def audio_blocks(source: Path | BinaryIO, sample_rate: int, start: float = 0.0,
                 duration: float | None = None) -> Iterator[np.ndarray]:
    """Yield what `read_audio` returns, in blocks of some seconds while the file is read.

    Memory is bounded whatever the length, rate and channels. Errors are those of `read_audio`,
    raised where reading meets them.

    Parameters
    ----------
    source : Path or BinaryIO
        An open file is read from its beginning, must allow seeking, and is called stdin in errors.
    """
    name = source if isinstance(source, Path) else "stdin"
    with _open(source) as file:
        rate = file.samplerate
        first = round(start * rate)
        # The end is rounded, not the length: parts that meet leave no sample out, or twice.
        wanted = (max(file.frames - first, 0) if duration is None
                  else round((start + duration) * rate) - first)
        if first + wanted > file.frames:
            raise AsrError(f"{name}: ends at {file.frames / rate:.2f} s, before the asked-for "
                           f"{(first + wanted) / rate:.2f} s")
        resampler = (soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
                     if rate != sample_rate else None)
        read = made = 0
        for block in _blocks(file, name, first, wanted):
            check_samples(block, f"{name}: holds samples")
            read += len(block)
            if resampler:
                block = resampler.resample_chunk(block, last=read == wanted)
            made += len(block)
            yield block
    if read < wanted:
        raise AsrError(f"{name}: cut off: {read / rate:.2f} s of the {wanted / rate:.2f} s that "
                       "its header promises")
    if not made:
        raise AsrError(f"{name}: no samples in it")


def check_rate(rate: int, name: str) -> None:
    """Raise an `AsrError` that begins with `name` if speech has no such sample rate."""
    if not _RATES[0] <= rate <= _RATES[1]:
        raise AsrError(f"{name}: {rate} samples a second; speech has {_RATES[0]:,} to "
                       f"{_RATES[1]:,}")


def _open(source: Path | BinaryIO) -> soundfile.SoundFile:
    def opened(kind: type[soundfile.SoundFile]) -> soundfile.SoundFile:
        return (_open_path(source, kind) if isinstance(source, Path)
                else _open_stream(source, kind))

    name = source if isinstance(source, Path) else "stdin"
    file = opened(soundfile.SoundFile)
    try:
        check_rate(file.samplerate, str(name))
        if cut_off(source, file.format):
            raise AsrError(f"{name}: damaged or cut off (it ends before its header says)")
    except AsrError:
        file.close()
        raise
    if file.frames == _UNKNOWN:
        file.close()
        with opened(_Counted) as counted:
            samples = sum(map(len, _blocks(counted, name, 0, _UNKNOWN)))
        file = opened(_Counted)
        file.samples = samples
    return file


def _open_stream(file: BinaryIO, kind: type[soundfile.SoundFile]) -> soundfile.SoundFile:
    if not file.seek(0, os.SEEK_END):
        raise AsrError("stdin: nothing came")
    file.seek(0)
    try:
        return kind(file)
    except soundfile.LibsndfileError as error:
        raise AsrError(f"stdin: not readable as audio ({error.error_string.rstrip('.')})") from None


def _open_path(path: Path, kind: type[soundfile.SoundFile]) -> soundfile.SoundFile:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise AsrError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # no permission; no possible file name
        raise AsrError(f"{path}: {getattr(error, 'strerror', error)}") from None
    if path.is_dir():
        raise AsrError(f"{path}: a directory, not an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AsrError(f"{path}: no file but a pipe or a device; give its audio to standard input, "
                       "as `-`")
    if status.st_size == 0:
        raise AsrError(f"{path}: the file is empty")
    name = os.fsencode(path)  # soundfile refuses names that are not UTF-8 unless they are bytes
    try:
        if path.suffix.lower() == ".raw":
            return kind(name, samplerate=RAW_SAMPLE_RATE, channels=1, format="RAW",
                        subtype="PCM_16", endian=_byte_order(path))
        return kind(name)
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        more = (", which ffmpeg may: ffmpeg -i FILE -f wav - | asr transcribe -"
                if path.suffix.lower() in _OTHERS else "")
        raise AsrError(f"{path}: not readable as audio ({reason.rstrip('.')}){more}") from None


def _blocks(file: soundfile.SoundFile, name: Path | str, first: int, wanted: int
            ) -> Iterator[np.ndarray]:
    """Mono blocks of the part of the file, as long as it yields any."""
    size = max(1, _BLOCK // file.channels)
    try:
        if first:
            file.seek(first)
        while wanted > 0:
            block = file.read(min(size, wanted), dtype="float32", always_2d=True)
            if not len(block):
                return
            wanted -= len(block)
            yield block.mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise AsrError(f"{name}: damaged or cut off ({error.error_string.rstrip('.')})") from None


def check_samples(samples: np.ndarray, what: str) -> None:
    """Refuse what no microphone gives and no feature can be computed of; `what` begins the message.

    Raises
    ------
    AsrError
        A sample is no number, or a damaged one.
    """
    if not np.isfinite(samples).all():
        raise AsrError(f"{what} that are not finite (NaN or infinity)")
    if len(samples) and (loudest := np.abs(samples).max()) > _LOUDEST:
        raise AsrError(f"{what} of {loudest:.0e} times full scale; are they damaged?")


def _byte_order(path: Path) -> str:
    """LITTLE or BIG: speech read in the wrong byte order jumps from sample to sample."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    head = head[:len(head) // 2 * 2]
    jumps = {order: np.abs(np.diff(np.frombuffer(head, dtype).astype(np.int64))).sum()
             for order, dtype in (("LITTLE", "<i2"), ("BIG", ">i2"))}
    return min(jumps, key=lambda order: jumps[order])
