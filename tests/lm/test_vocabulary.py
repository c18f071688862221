"""asr.lm.vocabulary: words ↔ units of a neural language model."""

import pytest

from asr.errors import AsrError
from asr.lm.vocabulary import BOUNDARY, Vocabulary, VocabularyConfig

COUNTS = {"the": 5, "cat": 3, "sat": 3, "mat": 1, "<unk>": 9, "<UNK>": 9}


def learnt(kind, size=20, counts=COUNTS):
    return Vocabulary.from_counts(VocabularyConfig(kind=kind, size=size), counts)


def test_words():
    vocabulary = learnt("words", size=3)
    assert vocabulary.symbols == ["</s>", "<unk>", "the", "cat", "sat"]
    assert [vocabulary.spell(word) for word in ("the", "sat", "mat", "<unk>", "<UNK>", "</s>")] \
        == [(2,), (4,), (1,), (1,), (1,), (1,)]
    assert [vocabulary.knows(word) for word in ("the", "mat", "<unk>", "</s>")] \
        == [True, False, False, False]
    assert vocabulary.decode([2, 1, 4]) == "the <unk> sat"


@pytest.mark.parametrize("kind", ["bpe", "characters"])
def test_spelt(kind):
    vocabulary = learnt(kind)
    for sentence in ("the cat sat", "hats", "mat the"):
        units = [unit for word in sentence.split() for unit in vocabulary.spell(word)]
        assert BOUNDARY not in units
        assert vocabulary.decode(units) == sentence
        assert all(map(vocabulary.knows, sentence.split()))
    assert "<" not in vocabulary.symbols
    assert vocabulary.spell("<unk>") == vocabulary.spell("<UNK>") == ()
    # What is no unit is left out, and its word is unknown.
    assert vocabulary.spell("cät") == vocabulary.spell("ct")
    assert [vocabulary.knows(word) for word in ("cät", "<unk>")] == [False, False]


def test_characters_begin_words():
    vocabulary = learnt("characters")
    assert vocabulary.symbols == ["<blank>", "|", *"acehmst"]
    assert vocabulary.spell("cat") == (1, 3, 2, 8)


def test_content_makes_the_same_again():
    for kind in ("words", "bpe", "characters"):
        vocabulary = learnt(kind)
        again = Vocabulary(kind, vocabulary.content)
        assert again.symbols == vocabulary.symbols
        assert again.spell("mats") == vocabulary.spell("mats")


@pytest.mark.parametrize(("kind", "content"), [
    ("words", b""), ("words", b"</s>\n<unk>\na\na"), ("words", b"a\nb"), ("words", b"\xff"),
    ("characters", b"<blank>\na\n|"), ("bpe", b"\x00hello")])
def test_other_content(kind, content):
    with pytest.raises((ValueError, RuntimeError)):
        Vocabulary(kind, content)


def test_nothing_to_learn_from():
    with pytest.raises(AsrError, match="all words of the text are <unk>"):
        learnt("words", counts={"<unk>": 3})
    with pytest.raises(AsrError, match="5 BPE units are fewer than"):
        learnt("bpe", size=5)
