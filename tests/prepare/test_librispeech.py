"""LibriSpeech's layout, with its tables, and dev-clean-2 as a folder or as a list."""

import pytest

from asr.errors import AsrError
from asr.prepare.librispeech import has_subset, prepare_librispeech

SPEAKERS = """; comment
;ID  |SEX| SUBSET           |MINUTES| NAME
19   | F | dev-clean        | 25.19 | Kara Shallenberg
26   | M | dev-clean        | 25.08 |Denny |Sayers
"""
CHAPTERS = """;ID    |READER|MINUTES| SUBSET           | PROJ.|BOOK ID| CH. TITLE | PROJECT TITLE
198    | 19   | 8.42  | dev-clean        | 219  | 121   | Chapter 01 | Northanger | Abbey
"""


@pytest.fixture
def corpus(tmp_path, record):
    root = tmp_path / "LibriSpeech"
    for speaker, chapter, texts in (("19", "198", ("HE SAID", "DON'T")), ("26", "495", ("YES",)),
                                    ("103", "1", ("NO",))):
        folder = root / "dev-clean" / speaker / chapter
        lines = []
        for number, text in enumerate(texts):
            id_ = f"{speaker}-{chapter}-{number:04}"
            record(folder / f"{id_}.{'flac' if number == 0 else 'opus'}", 0.5 + number)
            lines.append(f"{id_} {text}\n")
        (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines))
    (root / "SPEAKERS.TXT").write_text(SPEAKERS)
    (root / "CHAPTERS.TXT").write_text(CHAPTERS)
    return root


def test_utterances(corpus):
    utterances = prepare_librispeech(corpus, "dev-clean")
    assert [(u.id, u.text, u.speaker, u.duration, u.extra) for u in utterances] == [
        ("103-1-0000", "no", "103", 0.5, {"chapter": "1"}),
        ("19-198-0000", "he said", "19", 0.5, {"gender": "F", "chapter": "198", "book": "121"}),
        ("19-198-0001", "don't", "19", 1.5, {"gender": "F", "chapter": "198", "book": "121"}),
        ("26-495-0000", "yes", "26", 0.5, {"gender": "M", "chapter": "495"})]
    assert utterances[2].audio == str(corpus / "dev-clean/19/198/19-198-0001.opus")


def test_parent_folder_and_missing_tables(corpus):
    (corpus / "SPEAKERS.TXT").unlink()
    (corpus / "CHAPTERS.TXT").unlink()
    utterances = prepare_librispeech(corpus.parent, "dev-clean", normaliser="none")
    assert [u.text for u in utterances] == ["NO", "HE SAID", "DON'T", "YES"]
    assert utterances[1].extra == {"chapter": "198"}


def test_dev_clean_2_from_the_list(corpus):
    assert not has_subset(corpus, "dev-clean-2")
    (corpus / "dev-clean-2.utts").write_text("26-495-0000\n19-198-0001\n")
    assert has_subset(corpus.parent, "dev-clean-2")
    ids = [u.id for u in prepare_librispeech(corpus, "dev-clean-2")]
    assert ids == ["19-198-0001", "26-495-0000"]
    (corpus / "dev-clean-2.utts").write_text("26-495-0000\n1-2-3\n")
    with pytest.raises(AsrError, match="1 of its 2 ids are not in dev-clean, the first is '1-2-3'"):
        prepare_librispeech(corpus, "dev-clean-2")


def test_dev_clean_2_as_a_folder_comes_first(corpus, record):
    (corpus / "dev-clean-2.utts").write_text("26-495-0000\n")
    record(corpus / "dev-clean-2/7/8/7-8-0000.wav")
    (corpus / "dev-clean-2/7/8/7-8.trans.txt").write_text("7-8-0000 A\n")
    assert [u.id for u in prepare_librispeech(corpus, "dev-clean-2")] == ["7-8-0000"]


def test_missing_subset_and_wrong_layout(corpus):
    with pytest.raises(AsrError, match=r"test-clean: no such folder; .*--download"):
        prepare_librispeech(corpus, "test-clean")
    (corpus / "empty").mkdir()
    with pytest.raises(AsrError, match=r"no <speaker>/<chapter>/\*\.trans\.txt in it"):
        prepare_librispeech(corpus, "empty")

    (corpus / "SPEAKERS.TXT").write_text("; comment\n19\n")
    with pytest.raises(AsrError, match=r"SPEAKERS\.TXT:2: 1 columns"):
        prepare_librispeech(corpus, "dev-clean")


@pytest.mark.parametrize("line", [" 103-1-0000 NO", "103/0000 NO", ". NO", "/ NO"])
def test_a_line_without_an_id(corpus, line):
    (corpus / "dev-clean/103/1/103-1.trans.txt").write_text(f"103-1-0000 NO\n\n{line}\n")
    with pytest.raises(AsrError, match=r"103-1\.trans\.txt:3: expected `id TEXT`, found '"):
        prepare_librispeech(corpus, "dev-clean")


@pytest.mark.parametrize("name", ["dev-clean/", "../LibriSpeech/dev-clean", "", ".", ".."])
def test_a_subset_is_a_name(corpus, name):
    with pytest.raises(AsrError, match=f"subset '{name}': expected the name of a folder"):
        prepare_librispeech(corpus, name)


def test_text_without_audio(corpus):
    (corpus / "dev-clean/103/1/103-1-0000.flac").unlink()
    with pytest.raises(AsrError, match=r"1 of 4 .*103-1-0000 \(.*no such file"):
        prepare_librispeech(corpus, "dev-clean")
    assert len(prepare_librispeech(corpus, "dev-clean", skip_unreadable=True)) == 3
