"""asr.audio: any file → mono float32 at the asked-for rate, or one clear line."""

import io
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from asr.audio import audio_blocks, audio_info, read_audio
from asr.errors import AsrError

RATE = 16_000


def tone(rate: int = RATE, seconds: float = 1.0, hertz: float = 300.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize(("name", "options", "least"), [
    ("a.wav", {}, 1 - 1e-6),
    ("a.wav", {"subtype": "FLOAT"}, 1 - 1e-9),
    ("a.wav", {"subtype": "ULAW"}, 0.999),
    ("a.flac", {}, 1 - 1e-6),
    ("a.sph", {"format": "NIST"}, 1 - 1e-6),
    ("a.sph", {"format": "NIST", "endian": "BIG"}, 1 - 1e-6),
    ("a.raw", {"format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}, 1 - 1e-6),
    ("a.raw", {"format": "RAW", "subtype": "PCM_16", "endian": "BIG"}, 1 - 1e-6),
    ("a.ogg", {}, 0.99),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 0.99),
    ("a.mp3", {}, 0.99),
    ("a.aiff", {}, 1 - 1e-6),
], ids=str)
def test_formats(tmp_path, name, options, least):
    path, wave = tmp_path / name, tone()
    soundfile.write(path, wave, RATE, **options)
    info = audio_info(path)
    assert (info.sample_rate, info.channels, info.frames, info.duration) == (RATE, 1, RATE, 1.0)
    samples = read_audio(path, RATE)
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    assert correlation(samples, wave) > least
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_byte_order_of_quiet_raw_speech(tmp_path, order):
    """Noise of a few hundred steps, as between the words of a recording."""
    noise = np.random.default_rng(0).normal(0, 0.01, 8000)
    soundfile.write(tmp_path / "a.raw", noise, RATE, format="RAW", subtype="PCM_16", endian=order)
    assert correlation(read_audio(tmp_path / "a.raw", RATE), noise) > 0.999


def test_three_channels_at_96_khz(tmp_path):
    path = tmp_path / "a.wav"
    channels = np.stack([tone(96_000, hertz=h) for h in (200.0, 500.0, 900.0)], axis=1)
    soundfile.write(path, channels, 96_000, subtype="FLOAT")
    samples = read_audio(path, RATE)
    expected = sum(tone(RATE, hertz=h) for h in (200.0, 500.0, 900.0)) / 3
    assert samples.shape == (RATE,)
    assert np.abs(samples - expected)[100:-100].max() < 1e-3  # the filter's ends aside


def test_upsampling(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(8000), 8000)
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert len(samples) == RATE
    assert np.abs(samples - tone(RATE))[100:-100].max() < 1e-3


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_part_equals_slice(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 40_000), RATE)
    whole = read_audio(path, RATE)
    np.testing.assert_array_equal(read_audio(path, RATE, 0.5, 1.25), whole[8000:28_000])
    np.testing.assert_array_equal(read_audio(path, RATE, 1.0), whole[16_000:])
    np.testing.assert_array_equal(read_audio(path, RATE, 0.0, 2.5), whole)


@pytest.mark.parametrize("first", [0, 1.5, 2, 2.5, 3.49, 999.5])
def test_parts_that_meet_are_the_file(tmp_path, first):
    """Also where they meet between two samples, of an odd number."""
    path = tmp_path / "a.wav"
    wave = np.random.default_rng(0).uniform(-1, 1, 2001).astype(np.float32)
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    start = first / RATE
    parts = [read_audio(path, RATE, start, audio_info(path).duration - start)]
    if first:
        parts.insert(0, read_audio(path, RATE, 0, start))
    np.testing.assert_array_equal(np.concatenate(parts), wave)


def test_long_file_in_many_blocks(tmp_path):
    """More samples than are read at once."""
    wave = np.random.default_rng(0).uniform(-1, 1, (1 << 18) + 12_345).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE), wave)


def flac_claiming(path: Path, frames: int) -> Path:
    """A second of flac whose STREAMINFO claims another number of samples (36 bits at 21.5)."""
    soundfile.write(path, tone(), RATE, format="FLAC")
    data = bytearray(path.read_bytes())
    assert struct.unpack(">I", data[22:26]) == (RATE,)
    data[21] &= 0xF0
    data[22:26] = struct.pack(">I", frames)
    path.write_bytes(data)
    return path


def test_header_claiming_two_to_the_31_samples(tmp_path):
    """An error, and no memory for what the header claims."""
    path = flac_claiming(tmp_path / "a.flac", 2**31)
    assert audio_info(path).frames == 2**31
    tracemalloc.start()
    with pytest.raises(AsrError, match=r"cut off"):
        read_audio(path, RATE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("claimed", [0x7fff0000, 0x7ffff000, 2**31, 2**32 - 16, 2**32 - 1])
def test_wav_header_claiming_too_much_counts_what_is_there(tmp_path, claimed):
    """Programs that write to a pipe cannot know the length: GStreamer's, sox's, arecord's, …"""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", claimed)
    path.write_bytes(data)
    assert audio_info(path).frames == len(read_audio(path, RATE)) == RATE


OPUS = {"format": "OGG", "subtype": "OPUS"}


def encoded(format: str, **options) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).uniform(-1, 1, 3 * RATE), RATE, format=format,
                    **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [
    {"format": "FLAC"}, {"format": "MP3"}, {"format": "WAV"}, {"format": "WAV", "endian": "BIG"},
    {"format": "WAV", "subtype": "IMA_ADPCM"}, {"format": "WAVEX"}, {"format": "OGG"}, OPUS,
    {"format": "AIFF"}, {"format": "AU"}, {"format": "AU", "endian": "LITTLE"}, {"format": "W64"},
    {"format": "NIST"}],
    ids=lambda options: "-".join(options.values()))
def test_truncated(tmp_path, options):
    data = encoded(**options)
    (tmp_path / "a").write_bytes(data[:len(data) // 2])
    with (tmp_path / "a").open("rb") as stream:
        for source in (tmp_path / "a", stream):
            with pytest.raises(AsrError, match="cut off") as caught:
                list(audio_blocks(source, RATE))
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"format": "OGG"}, OPUS], ids=["vorbis", "opus"])
def test_ogg_that_ends_within_its_last_page(tmp_path, options):
    data = encoded(**options)
    path, last = tmp_path / "a.ogg", data.rfind(b"OggS")
    for end in (last + 1, last + 5, last + 26, last + 27, last + 28, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(AsrError, match=r"a\.ogg: damaged or cut off"):
            audio_info(path)
    path.write_bytes(data + bytes(128))  # as a tag at the end
    assert len(read_audio(path, RATE)) == 3 * RATE


def test_ogg_without_an_end(tmp_path):
    """Whole pages, none marked as the last: Android's, and what is recorded of a live stream."""
    data = encoded(**OPUS)
    (tmp_path / "a.opus").write_bytes(data[:data.rfind(b"OggS")])
    assert RATE < len(read_audio(tmp_path / "a.opus", RATE)) < 3 * RATE


def test_wav_with_other_chunks(tmp_path):
    """Whole, and a sample short of it."""
    path, data = tmp_path / "a.wav", encoded("WAV")
    odd = b"odd " + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(data[:36] + odd + data[36:] + odd)
    assert len(read_audio(path, RATE)) == 3 * RATE
    path.write_bytes(data[:36] + odd + data[36:-2])
    with pytest.raises(AsrError, match="cut off"):
        read_audio(path, RATE)


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / "bad.wav"
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("HELLO WORLD\n" * 100)
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), RATE)
    elif kind in ("nan", "inf", "damaged"):
        wave = tone()
        wave[5] = 1e14 if kind == "damaged" else float(kind)
        soundfile.write(path, wave, RATE, subtype="FLOAT")
    elif kind == "less than a sample":
        soundfile.write(path, np.zeros(2), 96_000)
    elif kind == "text as mp3":
        path = path.with_suffix(".mp3")
        path.write_text("HELLO WORLD\n" * 100)
    elif kind == "name too long":
        path = folder / ("a" * 300)
    elif kind == "below a file":
        (folder / "x").touch()
        path = folder / "x" / "bad.wav"
    elif kind == "impossible name":
        path = folder / "a\0b"
    return path


@pytest.mark.parametrize(("kind", "message"), [
    ("missing", "no such file"),
    ("directory", "a directory, not an audio file"),
    ("empty", "the file is empty"),
    ("text", "not readable as audio"),
    ("text as mp3", "not readable as audio"),
    ("no samples", "no samples in it"),
    ("less than a sample", "no samples in it"),
    ("nan", "not finite"),
    ("inf", "not finite"),
    ("damaged", "1e\\+14 times full scale"),
    ("name too long", "File name too long"),
    ("below a file", "Not a directory"),
    ("impossible name", "embedded null byte"),
])
def test_bad_input_is_one_clear_line(tmp_path, kind, message):
    path = bad_file(tmp_path, kind)
    with pytest.raises(AsrError, match=message) as caught:
        read_audio(path, RATE)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read anything")
def test_no_permission(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(AsrError, match=r"a\.wav"):
        read_audio(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize(("start", "duration"), [(2.0, None), (0.5, 0.6), (0.0, 1.001), (2.0, 0.1)])
@pytest.mark.parametrize("suffix", ["wav", "flac", "opus"])
def test_part_beyond_the_end(tmp_path, suffix, start, duration):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(), RATE, **({"format": "OGG", "subtype": "OPUS"}
                                           if suffix == "opus" else {}))
    with pytest.raises(AsrError, match=r"ends at 1\.00 s, before the asked-for"):
        read_audio(path, RATE, start, duration)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (96_000, 2), (8_000, 1), (44_100, 40)])
def test_blocks_are_the_whole_and_few_at_once(tmp_path, rate, channels):
    """Resampled in one go by soxr; memory for a block, however many channels it has."""
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (rate * 40 // channels, channels))
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, rate, subtype="FLOAT")
    blocks = list(audio_blocks(path, RATE))
    whole = wave.astype(np.float32).mean(axis=1)
    expected = whole if rate == RATE else soxr.resample(whole, rate, RATE)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)
    assert len(blocks) > 2 or rate == 8_000
    assert max(map(len, blocks)) <= 2 * (1 << 18) // channels + 1000
    np.testing.assert_array_equal(read_audio(path, RATE), np.concatenate(blocks))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_an_open_file(tmp_path, suffix):
    soundfile.write(tmp_path / f"a.{suffix}", tone(), RATE)
    stream = io.BytesIO((tmp_path / f"a.{suffix}").read_bytes())
    np.testing.assert_array_equal(np.concatenate(list(audio_blocks(stream, RATE))),
                                  read_audio(tmp_path / f"a.{suffix}", RATE))


def test_an_open_file_that_is_no_audio():
    with pytest.raises(AsrError, match="stdin: not readable as audio"):
        list(audio_blocks(io.BytesIO(b"HELLO WORLD" * 100), RATE))
    with pytest.raises(AsrError, match="stdin: nothing came"):
        list(audio_blocks(io.BytesIO(), RATE))


def without_length(path: Path) -> Path:
    """A FLAC file as encoders write it to a pipe: they cannot go back to say how long it is."""
    data = bytearray(path.read_bytes())
    data[21] &= 0xf0  # the number of samples: 36 bits of STREAMINFO, from the half of byte 21 on
    data[22:26] = bytes(4)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("seconds", [0.5, 20.0])
def test_flac_that_does_not_say_how_long_it_is(tmp_path, seconds):
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(seconds=seconds), RATE)
    whole, part = read_audio(path, 8_000), read_audio(path, RATE, 0.1, 0.3)
    without_length(path)
    assert audio_info(path).frames == round(seconds * RATE)
    np.testing.assert_array_equal(read_audio(path, 8_000), whole)
    np.testing.assert_array_equal(read_audio(path, RATE, 0.1, 0.3), part)
    with path.open("rb") as file:
        np.testing.assert_array_equal(np.concatenate(list(audio_blocks(file, 8_000))), whole)


def test_flac_that_neither_says_how_long_it_is_nor_is_whole(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 4 * RATE), RATE)
    without_length(path).write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(AsrError, match="cut off"):
        read_audio(path, RATE)


@pytest.mark.parametrize("rate", [1, 2_147_483_647])
def test_rates_that_no_speech_has(tmp_path, rate):
    """At 1 Hz a file of 1 kB would be 16 million samples of ours."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(500), rate)
    with pytest.raises(AsrError, match=f"a.wav: {rate} samples a second"):
        read_audio(path, RATE)


def test_raw_in_capitals(tmp_path):
    (tmp_path / "A.RAW").write_bytes((1000 * tone()).astype("<i2").tobytes())
    assert len(read_audio(tmp_path / "A.RAW", RATE)) == RATE


def test_a_pipe_is_told_from_an_empty_file(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AsrError, match=r"a pipe or a device; give its audio to standard input"):
        read_audio(tmp_path / "a.wav", RATE)
