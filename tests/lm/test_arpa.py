import gzip
import lzma
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from asr.errors import AsrError
from asr.lm import binary
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.binary import load_lm, save_lm
from asr.lm.ngram import SPECIAL, Level, NgramModel

SMALL = """\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-99\t<s>\t-0.5
-0.8\t</s>
-1.25\t<unk>
-0.5\tthe\t-0.25
-0.75\tcat\t-0.125

\\2-grams:
-0.2\t<s> the\t-0.3
-0.4\tthe cat\t-0.0625
-0.9\tcat </s>
-1.1\tcat the

\\3-grams:
-0.1\t<s> the cat
-0.05\tthe cat </s>

\\end\\
"""


SPHINX = """\\data\\
ngram 1=7
ngram 2=7

\\1-grams:
-1.0000 <unk> -0.2553
-98.9366 <s> -0.3064
-1.0000 </s> 0.0000
-0.6990 wood -0.2553
-0.6990 cindy -0.2553
-0.6990 pittsburgh -0.2553
-0.6990 jean -0.1973

\\2-grams:
-0.2553 <unk> wood
-0.2553 <s> <unk>
-0.2553 wood pittsburgh
-0.2553 cindy jean
-0.2553 pittsburgh cindy
-0.5563 jean </s>
-0.5563 jean wood

\\end\\
"""


def write(folder, text, name="small.arpa"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_back_off_worked_by_hand(tmp_path):
    model = read_arpa(write(tmp_path, SMALL))
    for words, expected in {
        "the cat": [-0.2, -0.1, -0.05],
        # cat: bow(<s>) + p(cat). the: bigram "cat the". </s>: "the" has no such bigram, and
        # "cat the" no weight: bow(the) + p(</s>).
        "cat the": [-0.5 - 0.75, -1.1, -0.25 - 0.8],
        # the: "<s> the". the: bow(<s> the) + bow(the) + p(the). cat: "the the" is unknown, so
        # p(the cat).
        "the the cat": [-0.2, -0.3 - 0.25 - 0.5, -0.4, -0.05],
        # dog is <unk>, which has no weight: nothing of the history is left.
        "the dog cat": [-0.2, -0.3 - 0.25 - 1.25, -0.75, -0.9],
        "": [-0.5 - 0.8],
    }.items():
        np.testing.assert_allclose(model.score(words.split()) / math.log(10), expected, atol=1e-6)


def test_back_off_in_the_format_descriptions_example(tmp_path):
    """The model of CMU Sphinx's description of the format, worked by hand."""
    model = read_arpa(write(tmp_path, SPHINX))
    for words, expected in {
        "wood pittsburgh cindy jean": [-0.3064 - 0.6990, -0.2553, -0.2553, -0.2553, -0.5563],
        "jean wood cindy": [-0.3064 - 0.6990, -0.5563, -0.2553 - 0.6990, -0.2553 - 1.0],
        "oak wood": [-0.2553, -0.2553, -0.2553 - 1.0],
        "jean cindy": [-0.3064 - 0.6990, -0.1973 - 0.6990, -0.2553 - 1.0],
    }.items():
        np.testing.assert_allclose(model.score(words.split()) / math.log(10), expected, atol=1e-6)


@pytest.mark.parametrize(("word", "does"), [("<s>", "begin"), ("</s>", "end")])
def test_a_model_of_no_sentences(tmp_path, word, does):
    """kenlm refuses it, too."""
    with pytest.raises(AsrError, match=f"no unigram {word}, with which sentences {does}"):
        read_arpa(write(tmp_path, SMALL.replace(f"\t{word}", "\tdog").replace(word, "dog")))


def test_a_model_without_unknown_word_gets_kenlms(tmp_path):
    text = SMALL.replace("-1.25\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    model = read_arpa(write(tmp_path, text))
    assert model.score(["dog"])[0] / math.log(10) == pytest.approx(-0.5 - 100)


def test_unknown_words_in_capitals(tmp_path):
    text = SMALL.replace("<unk>", "<UNK>").replace("cat </s>", "cat <UNK>")
    model = read_arpa(write(tmp_path, text))
    assert model.words == [*SPECIAL, "the", "cat"]
    np.testing.assert_allclose(model.score(["dog"])[0] / math.log(10), -0.5 - 1.25)
    np.testing.assert_allclose(model.score(["cat", "dog"])[1] / math.log(10), -0.9)
    both = SMALL.replace("-0.8\t</s>\n", "-0.8\t</s>\n-3\t<UNK>\n").replace("1=5", "1=6")
    with pytest.raises(AsrError, match="<unk> and <UNK> are the same"):
        read_arpa(write(tmp_path, both))


def test_words_that_are_not_utf8(tmp_path):
    with pytest.raises(AsrError, match=r"small\.arpa: line 11: a word that is not UTF-8"):
        read_arpa(write(tmp_path, SMALL.replace("cat", "caté").encode("latin-1")))


def by_dictionary(text, words):
    """Sentence scores by the textbook recursion over strings."""
    probabilities, weights = {}, {}
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) > 1:
            gram = tuple(parts[1].split(" "))
            probabilities[gram] = float(parts[0])
            weights[gram] = float(parts[2]) if len(parts) > 2 else 0.0
    order = text.count("-grams:")

    def score(word, history):
        gram = (*history, word)
        if gram in probabilities:
            return probabilities[gram]
        return weights.get(history, 0.0) + score(word, history[1:])

    sentence = ["<s>", *(w if (w,) in probabilities else "<unk>" for w in words), "</s>"]
    return [score(sentence[i], tuple(sentence[max(0, i - order + 1):i]))
            for i in range(1, len(sentence))]


@st.composite
def arpa_files(draw):
    """Models whose n-grams begin with shorter ones; what they end with may be missing."""
    number = st.integers(-4000, 0).map(lambda n: n / 1000)
    words = ["<unk>", "<s>", "</s>", "a", "b", "ab"]
    sections = [[(word,) for word in words]]
    for _ in range(draw(st.integers(0, 4))):
        candidates = [(*gram, word) for gram in sections[-1] if gram[-1] != "</s>"
                      for word in words if word != "<s>"]
        if not candidates:
            break
        sections.append(draw(st.lists(st.sampled_from(candidates), unique=True, max_size=12)))
    lines = ["\\data\\", *(f"ngram {n}={len(s)}" for n, s in enumerate(sections, 1))]
    for n, section in enumerate(sections, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram in section:
            weight = f"\t{draw(number)}" if n < len(sections) and draw(st.booleans()) else ""
            lines.append(f"{draw(number)}\t{' '.join(gram)}{weight}")
    return "\n".join([*lines, "", "\\end\\", ""])


@given(arpa_files(), st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=8))
def test_scores_equal_the_recursion_over_strings(tmp_path_factory, text, words):
    folder = tmp_path_factory.mktemp("arpa")
    model = read_arpa(write(folder, text))
    expected = by_dictionary(text, words)
    np.testing.assert_allclose(model.score(words) / math.log(10), expected, atol=2e-6)
    for name in ("again.arpa", "again.arpa.gz", "again.lm"):
        save_lm(folder / name, model)
        np.testing.assert_allclose(load_lm(folder / name).score(words), model.score(words),
                                   atol=1e-5)


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.xz", lzma.compress)])
def test_packed_files(tmp_path, name, pack):
    model = read_arpa(write(tmp_path, pack(SMALL.encode()), name))
    assert model.score(["the"])[0] / math.log(10) == pytest.approx(-0.2)
    with pytest.raises(AsrError, match="damaged or cut off"):
        read_arpa(write(tmp_path, pack(SMALL.encode())[:-12], name))


def test_other_spellings_of_the_format(tmp_path):
    text = "made by hand\n\n" + SMALL.replace("\t", " ").replace("\n", "\r\n").replace(
        "-0.1 <s>", "-1e-1 <s>").replace("ngram 1=5", "ngram  1 = 5")
    model = read_arpa(write(tmp_path, text))
    assert model.score(["the", "cat"])[1] / math.log(10) == pytest.approx(-0.1)


@pytest.mark.parametrize(("old", "new", "message"), [
    ("\\data\\", "data", "no ARPA language model"),
    ("ngram 1=5\n", "", "orders 1 to 5 at most, one after the other"),
    ("ngram 1=5\nngram 2=4\nngram 3=2\n", "", "number of unigrams"),
    ("ngram 1=5", "ngram 1=4", "more n-grams than announced"),
    ("ngram 1=5", "ngram 1=6", r"\\1-grams: has 5 lines"),
    ("ngram 2=4", "ngram 2=3", "line 17: .*more n-grams than announced"),
    ("ngram 2=4", "ngram 2=5", "line 18: the section ends before"),
    ("ngram 3=2", "ngram 3=1", "line 21: .*missing, or more n-grams"),
    ("ngram 3=2", "ngram 3=9999999999", "line 4: more n-grams announced than the file has room"),
    ("ngram 3=2", f"ngram 3={'9' * 5000}", "line 4: more n-grams announced than the file has"),
    ("ngram 3=2", f"ngram {'3' * 5000}=2", "line 4: orders 1 to 5 at most"),
    ("\\2-grams:", "\\3-grams:", "2-grams: is missing"),
    ("-0.4\tthe cat", "nan\tthe cat", "line 15: no finite number"),
    ("-0.4\tthe cat", "-inf\tthe cat", "line 15: no finite number"),
    ("-0.4\tthe cat", "-0.4.1\tthe cat", "line 15: no finite number"),
    ("-0.4\tthe cat", "-1.5e38\tthe cat", "line 15: no finite number"),  # of 32 bits, times ln 10
    ("the cat\t-0.0625", "the cat\t1.5e38", "line 15: no finite number"),
    ("-0.4\tthe cat", "0.4\tthe cat", "line 15: a log probability above 0"),
    ("the cat\t-0.0625", "the cat\t-0.0625x", "line 15: no finite number"),
    ("the cat\t-0.0625", "the cat\t-0.0625 1", "line 15: more than a back-off weight"),
    ("-0.4\tthe cat\t-0.0625", "-0.4\tthe", "line 15: too few words"),
    ("-0.4\tthe cat", "-0.4\tthe dog", "line 15: a word that is no unigram"),
    ("-0.1\t<s> the cat", "-0.1\t<s> cat the", "3-gram 1 of its section: its first 2 words"),
    ("-0.9\tcat </s>", "-0.9\tcat the", "2-gram 4 of its section is there twice"),
    ("-0.75\tcat", "-0.75\tthe", "line 11: this unigram is there twice"),
    ("\\end\\", "", "end.* is missing"),
])
def test_faults_are_named(tmp_path, old, new, message):
    assert old in SMALL
    with pytest.raises(AsrError, match=message):
        read_arpa(write(tmp_path, SMALL.replace(old, new, 1)))


@pytest.mark.parametrize("content", [b"", b"\\data\\", b"\x00" * 100, SMALL.encode()[:200]])
def test_no_arpa_file_at_all(tmp_path, content):
    with pytest.raises(AsrError, match=r"small\.arpa"):
        read_arpa(write(tmp_path, content))
    with pytest.raises(AsrError, match="no such file"):
        read_arpa(tmp_path / "none")
    with pytest.raises(AsrError, match="directory"):
        read_arpa(tmp_path)


def large_model(size=2000):
    random = np.random.default_rng(0)
    words = [*SPECIAL, *(f"w{i}" for i in range(size))]
    everything = len(words)
    unigrams = Level(np.zeros(everything, np.int32), np.arange(everything, dtype=np.int32),
                     -random.uniform(1, 20, everything).astype(np.float32),
                     -random.uniform(0, 3, everything).astype(np.float32))
    parent = np.repeat(np.arange(3, 103, dtype=np.int32), 700)
    word = np.concatenate([np.sort(random.choice(everything, 700, replace=False))
                           for _ in range(100)]).astype(np.int32)
    bigrams = Level(parent, word, -random.uniform(1, 20, len(word)).astype(np.float32),
                    np.zeros(len(word), np.float32))
    return NgramModel(words, [unigrams, bigrams])


def test_quantised_models_are_small_and_close(tmp_path):
    model = large_model()
    save_lm(tmp_path / "exact.lm", model)
    save_lm(tmp_path / "small.lm", model, quantise=True)
    exact, small = load_lm(tmp_path / "exact.lm"), load_lm(tmp_path / "small.lm")
    for a, b in zip(exact.levels, model.levels, strict=True):
        for x, y in zip(a, b, strict=True):
            assert np.array_equal(x, y)
    assert np.abs(small.levels[1].log_prob - model.levels[1].log_prob).max() < 19 / 255 + 0.02
    assert np.array_equal(small.levels[1].word, model.levels[1].word)
    assert (tmp_path / "small.lm").stat().st_size < 0.6 * (tmp_path / "exact.lm").stat().st_size
    with pytest.raises(AsrError, match="only binary files"):
        save_lm(tmp_path / "small.arpa", model, quantise=True)


@pytest.mark.parametrize(("size", "high"), [(65_536, 0), (65_537, 1), (200_000, 2)])
def test_more_words_than_two_bytes_can_count(tmp_path, size, high):
    words = [*SPECIAL, *(f"w{i}" for i in range(size - len(SPECIAL)))]
    last = np.sort(np.random.default_rng(0).choice(size, 50, replace=False))
    last[-1] = size - 1
    nothing = np.zeros(size, np.float32)
    unigrams = Level(np.zeros(size, np.int32), np.arange(size, dtype=np.int32), nothing, nothing)
    bigrams = Level(np.full(50, 7, np.int32), last.astype(np.int32), nothing[:50], nothing[:50])
    save_lm(tmp_path / "a.lm", NgramModel(words, [unigrams, bigrams]))
    assert load_lm(tmp_path / "a.lm").levels[1].word.tolist() == last.tolist()
    with safe_open(tmp_path / "a.lm", "numpy") as file:
        assert file.get_slice("word.2").get_dtype() == "U16"
        assert file.get_slice("high.2").get_shape() == [high, 7]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for wrong in (tensors["high.2"][:, 1:], tensors["high.2"].astype(np.float32)):
        if high:
            (tmp_path / "a.lm").write_bytes(
                binary.save(tensors | {"high.2": wrong}, {"format": binary.FORMAT}))
            with pytest.raises(AsrError, match="damaged"):
                load_lm(tmp_path / "a.lm")


def test_damaged_binary_files(tmp_path):
    model = large_model(50 + 700)
    save_lm(tmp_path / "a.lm", model)
    content = (tmp_path / "a.lm").read_bytes()
    for damaged in (content[:-10], content[:100], b"", b"x" * 1000):
        (tmp_path / "b.lm").write_bytes(damaged)
        with pytest.raises(AsrError, match=r"b\.lm: damaged"):
            load_lm(tmp_path / "b.lm")
    with pytest.raises(AsrError, match="no such file"):
        load_lm(tmp_path / "none.lm")


def another_word(old, new):
    return lambda a: np.frombuffer(a.tobytes().replace(old, new), np.uint8)


@pytest.mark.parametrize(("name", "change"), [
    ("words", another_word(b"\nw7\n", b"\n\n")), ("words", another_word(b"\nw7\n", b"\nw8\n")),
    ("log_prob.2", lambda a: -a), ("log_prob.1", lambda a: np.where(a == a[5], 1e-6, a)),
    ("word.2", lambda a: a[::-1].copy()), ("word.2", lambda a: a[:-1]),
    ("many.2", lambda a: a[:, :-1]), ("log_prob.2", lambda a: a * np.nan),
    ("many.2", lambda a: a + 100000), ("words", lambda a: a[10:])])
def test_binary_files_that_contradict_themselves(tmp_path, name, change):
    tensors = binary._pack(large_model(), False)
    tensors[name] = change(tensors[name])
    (tmp_path / "a.lm").write_bytes(binary.save(tensors, {"format": binary.FORMAT}))
    with pytest.raises(AsrError, match="damaged"):
        load_lm(tmp_path / "a.lm")


def test_writing_takes_no_memory_for_the_strings_of_a_whole_order(tmp_path):
    model = large_model()
    tracemalloc.start()
    try:
        write_arpa(tmp_path / "large.arpa", model)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    again = read_arpa(tmp_path / "large.arpa")
    assert again.words == model.words
    for level, expected in zip(again.levels, model.levels, strict=True):
        assert np.array_equal(level.parent, expected.parent)
        assert np.array_equal(level.word, expected.word)
        np.testing.assert_allclose(level.log_prob, expected.log_prob, rtol=1e-6)
        np.testing.assert_allclose(level.back_off, expected.back_off, rtol=1e-6)
    # A string of 70,000 bigrams takes 57 bytes or more, before any list that holds it.
    assert peak < 70_000 * 57


def test_words_may_hold_control_characters(tmp_path):
    """They are no white space to whoever splits the text."""
    words = [*SPECIAL, "a\x01b", "\x00"]
    unigrams = Level(np.zeros(5, np.int32), np.arange(5, dtype=np.int32),
                     -np.ones(5, np.float32), np.zeros(5, np.float32))
    write_arpa(tmp_path / "a.arpa", NgramModel(words, [unigrams]))
    assert read_arpa(tmp_path / "a.arpa").words == words


def test_written_file_is_read_by_eye(tmp_path):
    path = tmp_path / "again.arpa"
    write_arpa(path, read_arpa(write(tmp_path, SMALL)))
    lines = path.read_text().splitlines()
    assert lines[:4] == ["\\data\\", "ngram 1=5", "ngram 2=4", "ngram 3=2"]
    assert "-0.2\t<s> the\t-0.3" in lines and "-0.05\tthe cat </s>" in lines
    assert lines[-1] == "\\end\\"
