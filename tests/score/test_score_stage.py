import pytest

from asr.errors import AsrError
from asr.score.read import Source, read_sides
from asr.score.stage import FILES, score_files, write_report


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


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path):
    for name in ("r.csv", "h.csv"):
        (tmp_path / name).write_text('id,text\n"bad\nid",a\n')
    report, = score_files(Source(tmp_path / "r.csv"), [Source(tmp_path / "h.csv")])
    with pytest.raises(AsrError, match="cannot stand in a"):
        write_report(report, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
