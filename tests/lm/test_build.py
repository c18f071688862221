import math

import pytest

from asr.errors import AsrError
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.binary import lm_bytes
from asr.lm.build import build, perplexity, write_sentences
from asr.lm.ngram import SPECIAL
from asr.manifest import Utterance, write_records
from asr.text.normalise import librispeech

BIGRAMS = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-99\t<s>\t-0.5
-1\t</s>
-1.5\t<unk>\t-0.25
-0.5\tgood\t-0.125
-0.75\tday

\\2-grams:
-0.25\t<s> good
-0.125\tgood day
-0.0625\tday </s>

\\end\\
"""


def write(folder, text, name="text"):
    path = folder / name
    path.write_text(text)
    return path


def built(texts, order=2, words=None, vocabulary=None, cutoffs=(0,), threshold=0.0):
    return build(texts, order, words, vocabulary, cutoffs, threshold)


def test_perplexity_by_hand(tmp_path):
    model = read_arpa(write(tmp_path, BIGRAMS))
    # good day </s>: −1/4 − 1/8 − 1/16. good ox day </s>: −1/4, <unk> with the weight of good
    # −1/8 − 3/2, day with that of <unk> −1/4 − 3/4, −1/16.
    result, unknown = perplexity(model, ["good day", "", "good ox  day\n"])
    assert (result.sentences, result.words, result.unknown) == (2, 5, 1)
    known, out = -0.4375 - 0.25 - 1 - 0.0625, -1.625
    assert result.log_prob == pytest.approx(known * math.log(10))
    assert result.log_prob_unknown == pytest.approx(out * math.log(10))
    assert result.perplexity == pytest.approx(10 ** (1.75 / 6))  # 4 known words and 2 ends
    assert result.perplexity_all == pytest.approx(10 ** (3.375 / 7))
    assert unknown == {"ox": 1}


def test_perplexity_counts_marked_unknown_words_as_such(tmp_path):
    model = read_arpa(write(tmp_path, BIGRAMS))
    result, unknown = perplexity(model, ["<unk> ox ox <UNK>"])
    assert (result.words, result.unknown) == (4, 4)
    assert unknown == {"ox": 2, "<unk>": 1, "<UNK>": 1}
    # Of known words there is but the end, with the weight of <unk>.
    assert result.perplexity == pytest.approx(10 ** 1.25)


@pytest.mark.parametrize("marker", ["<s>", "</s>"])
def test_markers_are_no_words_of_a_text(tmp_path, marker):
    good = write(tmp_path, "good day\n", "good")
    path = write(tmp_path, f"good day\n\ngood {marker} day\n")
    with pytest.raises(AsrError, match=r"text:3: <s> and </s> mark .*take them out"):
        built([good, path])
    with pytest.raises(AsrError, match="sentence 2: <s> and </s> mark"):
        perplexity(built([good]), ["good day", f"{marker} good day"])
    assert built([write(tmp_path, f"good{marker} day")]).words == [*SPECIAL, "day", f"good{marker}"]


def test_unknown_words_of_a_text_are_unknown(tmp_path):
    """As if they were words that the vocabulary lacks."""
    words = write(tmp_path, "good\nday\n", "words")
    marked = built([write(tmp_path, "good <unk> day\n<UNK> day\n")])
    lacking = built([write(tmp_path, "good ox day\ncow day\n")], vocabulary=words)
    assert marked.words == lacking.words == [*SPECIAL, "day", "good"]
    for sentence in (["good", "ox", "day"], ["<unk>"], ["day", "day"]):
        assert marked.score(sentence) == pytest.approx(lacking.score(sentence))
    one = built([write(tmp_path, "<UNK> <UNK> good\n")], words=1)
    assert one.words == [*SPECIAL, "good"]
    write_arpa(tmp_path / "a.arpa", marked)
    assert read_arpa(tmp_path / "a.arpa").words == marked.words


@pytest.mark.parametrize("line", ["good day", "good\t7", "good\u00a0day", "<s>", "</s>", "<unk>",
                                  "<UNK>"])
def test_vocabulary_of_one_word_a_line(tmp_path, line):
    text = write(tmp_path, "good day\n")
    with pytest.raises(AsrError, match=r"words:3: .* is no word"):
        built([text], vocabulary=write(tmp_path, f"good\n\n{line}\nday\n", "words"))
    spaced = write(tmp_path, " good\r\n\nday \nday", "words")
    assert built([text], vocabulary=spaced).words == [*SPECIAL, "day", "good"]


def test_faults_are_told_before_the_text_is_read(tmp_path):
    text, words = tmp_path / "none", write(tmp_path, "good\n", "words")
    with pytest.raises(AsrError, match="--words or --vocabulary"):
        built([text], words=5, vocabulary=words)
    with pytest.raises(AsrError, match="3 cut-offs for an order of 2"):
        built([text], cutoffs=[0, 0, 1])
    with pytest.raises(AsrError, match="words:1"):
        built([text], vocabulary=write(tmp_path, "<s>\n", "words"))


def test_missing_cutoffs_are_the_last_one_given(tmp_path):
    text = write(tmp_path, "good day good day\nday good\nday\n")
    sizes = [[len(level.word) for level in built([text], 3, cutoffs=cutoffs).levels]
             for cutoffs in ([0, 1], [0, 1, 1], [0])]
    assert sizes[0] == sizes[1] != sizes[2]


def test_text_is_not_written_over_itself(tmp_path):
    path = write(tmp_path, "Mr. Smith came.\n")
    (tmp_path / "link").symlink_to(path)
    for output in (path, tmp_path / "link", tmp_path / ".." / tmp_path.name / "text"):
        with pytest.raises(AsrError, match="is one of the texts"):
            write_sentences([write(tmp_path, "Other.\n", "other"), path], output, librispeech,
                            False, False)
    assert path.read_text() == "Mr. Smith came.\n"


def test_transcripts_of_a_manifest_are_sentences(tmp_path):
    manifest = tmp_path / "speech.jsonl"
    write_records(manifest, [
        Utterance(id=str(i), audio="x.wav", text=text, speaker="s", duration=1.0,
                  sample_rate=8000)
        for i, text in enumerate(["a b", "", "b a b"])])
    text = write(tmp_path, "b b\n")
    lines = write(tmp_path, "a b\n\nb a b\nb b\n", "lines")
    assert lm_bytes(built([manifest, text])) == lm_bytes(built([lines]))
    write_sentences([manifest], tmp_path / "out", librispeech, False, False)
    assert (tmp_path / "out").read_text() == "a b\nb a b\n"


def test_text_for_a_model_of_characters(tmp_path):
    write_sentences([write(tmp_path, "Mr. Bo is in.\n")], tmp_path / "out", librispeech, False,
                    True)
    assert (tmp_path / "out").read_text() == "m i s t e r | b o | i s | i n\n"
