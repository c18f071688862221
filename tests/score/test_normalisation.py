from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.score.normalisation import Normalisation, read_substitutions


@pytest.fixture
def glm(tmp_path):
    def write(text):
        (tmp_path / "my.glm").write_text(text)
        return tmp_path / "my.glm"
    return write


def test_substitutions_follow_the_normaliser(glm):
    normalise = Normalisation("librispeech", glm(
        ";; spelling\ncolour => color\n\n# contractions\ngoing to => gonna\n"
        "uh =>\ngoing => go\n"))
    assert normalise("Uh, I'm going to see the COLOUR going.") == "i'm gonna see the color go"


def test_what_was_put_in_is_not_looked_at_again(glm):
    assert Normalisation("none", glm("a => b\nb => a\n"))("a b a") == "b a b"


@pytest.mark.parametrize(("text", "message"), [
    ("a b\n", r"my\.glm:1: expected `words => other words`, found 'a b'"),
    ("\n=> b\n", r"my\.glm:2: expected"),
    ("a => b\nA => c\n a => d\n", r"my\.glm:3: 'a' is replaced on another line"),
])
def test_faults_are_named_with_their_line(glm, text, message):
    with pytest.raises(AsrError, match=message):
        read_substitutions(glm(text))


def test_a_file_that_is_not_there():
    with pytest.raises(AsrError, match=r"nowhere\.glm"):
        Normalisation("none", Path("nowhere.glm"))


def test_it_remembers_what_it_changed():
    normalise = Normalisation("librispeech")
    for text in ("THE well-known dog", "the  dog", "THE end.", "a well-known"):
        normalise(text)
    changes = normalise.changes()
    assert (changes.normaliser, changes.texts, changes.changed) == ("librispeech", 4, 3)
    assert changes.examples == [("well-known", "well known", 2), ("end.", "end", 1),
                                ("THE", "the", 2)]  # a change of case alone comes last


def test_white_space_is_no_change():
    normalise = Normalisation("none")
    normalise(" a\t b ")
    assert normalise.changes().changed == 0
