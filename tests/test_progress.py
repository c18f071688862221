import pytest

from asr import progress


@pytest.mark.parametrize(("total", "said"), [
    (1800, "talk: 900 of 1,800 s, real-time factor 0.044, 0:00:40 left"),
    (0, "talk: 900 s, real-time factor 0.044"),  # of a stream
    (600, "talk: 900 s, real-time factor 0.044")])  # a header that is wrong
def test_a_line_says_what_is_known(monkeypatch, capsys, total, said):
    now = iter([0.0, 40.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    assert list(progress.track_audio([(900.0, "item")], "talk", total)) == ["item"]
    assert capsys.readouterr().err == said + "\n"


@pytest.mark.parametrize(("total", "said"), [(3_000_000, "x: 1 of 3 MB"), (None, "x: 1 MB")])
def test_bytes(monkeypatch, capsys, total, said):
    now = iter([0.0, 40.0, 40.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    progress.track_bytes([(1_000_000, total), (2_000_000, total)], "x")
    assert capsys.readouterr().err == said + "\n"


@pytest.mark.parametrize(("total", "said"), [(3_000_000, "2.0/3.0 MB"), (None, "2.0/? MB")])
def test_bytes_as_a_bar(monkeypatch, capsys, total, said):
    monkeypatch.setattr(progress, "_bars", lambda: True)
    progress.track_bytes([(1_000_000, total), (2_000_000, total)], "x")
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("total", "said"), [(1800, "900 of 1,800 s"), (0, "900 s")])
def test_so_does_a_bar(monkeypatch, capsys, total, said):
    monkeypatch.setattr(progress, "_bars", lambda: True)
    assert list(progress.track_audio([(900.0, "item")], "talk", total)) == ["item"]
    shown = capsys.readouterr().err
    assert said in shown
    assert ("of 0" in shown) is False
