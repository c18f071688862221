"""asr.containers: what libsndfile writes, whole, short of its end, or of unknown length."""

import io
import struct

import numpy as np
import pytest
import soundfile

from asr.containers import cut_off

KINDS = ["WAV", "WAVEX", "RF64", "AIFF", "AU", "W64", "CAF", "NIST"]


def written(kind, frames=1000, **options):
    file = io.BytesIO()
    soundfile.write(file, np.linspace(-1, 1, 2 * frames).reshape(frames, 2), 8000, format=kind,
                    **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_ends(kind):
    data = written(kind)
    assert not cut_off(io.BytesIO(data), kind)
    assert not cut_off(io.BytesIO(data + b"more"), kind)
    for missing in (8, 100, len(data) // 2):
        file = io.BytesIO(data[:-missing])
        file.seek(7)
        assert cut_off(file, kind)
        assert file.tell() == 7
    assert not cut_off(io.BytesIO(data[:-100]), "VOC")  # not looked into


@pytest.mark.parametrize("kind", KINDS)
def test_without_samples(kind):
    assert not cut_off(io.BytesIO(written(kind, 0)), kind)


@pytest.mark.parametrize(("kind", "place", "size"), [
    ("AIFF", 4, struct.pack(">I", 0)),  # ffmpeg
    ("AIFF", 4, struct.pack(">I", 0x7f000000 + 46)),  # SoX
    ("AU", 8, b"\xff\xff\xff\xff"),
    ("W64", 16, struct.pack("<Q", 0)), ("W64", 16, struct.pack("<q", -1)),
    ("RF64", 20, struct.pack("<Q", 0)), ("RF64", 20, struct.pack("<q", -1)),
    ("CAF", -4012, struct.pack(">q", -1)),
])
def test_headers_whose_writer_could_not_go_back(kind, place, size):
    data = written(kind)
    place %= len(data)
    data = data[:place] + size + data[place + len(size):]
    assert not cut_off(io.BytesIO(data), kind)


def test_an_odd_end_need_not_be_filled_up():
    mono = io.BytesIO()
    soundfile.write(mono, np.zeros(999), 8000, format="AIFF", subtype="PCM_S8")
    data = mono.getvalue()
    assert not cut_off(io.BytesIO(data[:-1] if len(data) % 2 == 0 else data), "AIFF")


@pytest.mark.parametrize("field", [b"sample_count", b"channel_count", b"sample_n_bytes"])
def test_sphere_files_that_do_not_say(field):
    data = written("NIST").replace(field, b"x" * len(field), 1)
    assert not cut_off(io.BytesIO(data[:-100]), "NIST")
