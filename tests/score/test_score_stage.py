import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.score.read import Source, read_sides
from asr.score.stage import FILES, score_files, write_report
from asr.score.trn import write_trn

STATUS = Path("/proc/self/status")
ASR_WITH_PEAK = f"""
import runpy, sys
try:
    runpy.run_module("asr", run_name="__main__")
finally:  # ru_maxrss would be that of the process which started this one, if it was larger
    print(next(l for l in open("{STATUS}") if l.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.fixture
def score(tmp_path):
    """Score two .trn files of these lines."""
    def run(reference, hypothesis, **options):
        for name, text in (("r.trn", reference), ("h.trn", hypothesis)):
            (tmp_path / name).write_text(text)
        report, = score_files(Source(tmp_path / "r.trn"), [Source(tmp_path / "h.trn")], **options)
        return report
    return run


def texts(path):
    return {utterance: transcript.text
            for utterance, transcript in read_sides(Source(path), [])[0].items()}


def test_writing_the_folder(score, tmp_path):
    write_report(score("a  b (s-0)\n(s-1)\n", "a (s-0)\nc (s-1)\n"), tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert texts(out / "ref.trn") == {"s-0": "a b", "s-1": ""}
    assert texts(out / "hyp.trn") == {"s-0": "a", "s-1": "c"}
    write_report(score("x (u)\n", "x (u)\n"), out)  # an earlier report is replaced
    assert texts(out / "ref.trn") == {"u": "x"}


def test_a_folder_with_other_files_is_left_alone(score, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(AsrError, match=r"holds other files \(thesis.tex\)"):
        write_report(score("a (u)\n", "a (u)\n"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_the_current_folder_can_be_the_output(score, tmp_path, monkeypatch):
    report = score("a (u)\n", "a (u)\n")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    write_report(report, type(tmp_path)())
    assert (tmp_path / "out" / "report.txt").is_file()


def test_a_report_that_cannot_be_written_leaves_nothing(score, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("asr.score.stage.write_trn", full)
    with pytest.raises(AsrError, match="No space left"):
        write_report(score("a (u)\n", "a (u)\n"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("utterance", ["bad\nid", "talk (1)"])
def test_an_id_that_cannot_stand_in_a_trn_file_costs_those_alone(tmp_path, capsys, utterance):
    for name in ("r.csv", "h.csv"):
        (tmp_path / name).write_text(f'id,text\n"{utterance}",a\nfine,b\n')
    report, = score_files(Source(tmp_path / "r.csv"), [Source(tmp_path / "h.csv")])
    write_report(report, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES} - {"ref.trn", "hyp.trn"}
    said, = capsys.readouterr().err.splitlines()
    assert f"no ref.trn and hyp.trn, where the id {utterance!r} cannot stand" in said


def test_confidences_are_left_out_where_normalising_changed_the_number_of_words(tmp_path):
    (tmp_path / "r.trn").write_text("a b (u)\nc (v)\n")
    (tmp_path / "h.jsonl").write_text(
        '{"id": "u", "text": "a-b", "words": [{"text": "a-b", "confidence": 0.5}]}\n'
        '{"id": "v", "text": "c", "words": [{"text": "c", "confidence": 0.25}]}\n')
    report, = score_files(Source(tmp_path / "r.trn"), [Source(tmp_path / "h.jsonl")],
                          normaliser="librispeech")
    assert report.confidences == [(), (0.25,)]
    assert report.changes.changed == 1


def test_grouping_by_what_no_reference_says(score):
    with pytest.raises(AsrError, match="no reference says its 'accent'; known: speaker, length"):
        _ = score("a (s-0)\n", "a (s-0)\n", by=["accent"])


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux")
@pytest.mark.parametrize("options", [[], ["--sclite"]])
def test_a_million_utterances_take_less_than_two_gigabytes(tmp_path, options):
    """Told from what a process of fewer takes at most, and what each more adds."""
    rng = random.Random(0)
    peaks = {}
    for size in (40_000, 120_000):
        texts = [" ".join(str(rng.randrange(10_000)) for _ in range(20)) for _ in range(size)]
        files = str(tmp_path / f"r{size}.trn"), str(tmp_path / f"h{size}.trn")
        write_trn(Path(files[0]), ((f"s{i % 99}-{i}", text) for i, text in enumerate(texts)))
        write_trn(Path(files[1]), ((f"s{i % 99}-{i}", text.replace("1", "7").replace("33 ", ""))
                                   for i, text in enumerate(texts)))
        done = subprocess.run([sys.executable, "-c", ASR_WITH_PEAK, "score", *files, *options],
                              check=True, capture_output=True, text=True)
        assert f"{size:,} utterances" in done.stdout
        peaks[size] = 1024 * int(done.stderr.split()[-2])
    each = (peaks[120_000] - peaks[40_000]) / 80_000
    assert each > 500  # the texts alone, or nothing was measured
    assert peaks[120_000] + (1_000_000 - 120_000) * each < 2e9
