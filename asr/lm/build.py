"""From text files to an n-gram model, and from a model to its perplexity."""

import io
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from asr.errors import AsrError
from asr.files import atomic_write_packed, open_packed, read_lines, same_place
from asr.lm.arpa import CAPITAL_UNKNOWN
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, UNKNOWN, NgramModel
from asr.lm.prune import prune
from asr.lm.text import sentences
from asr.manifest import Utterance, read_records
from asr.progress import log, track
from asr.text.units import as_characters

_MARKERS = {SPECIAL[START], SPECIAL[END]}
_MARKED = ("<s> and </s> mark where sentences begin and end, which a line does already; take them "
           "out of the text")


def read_sentences(paths: Iterable[Path]) -> Iterator[str]:
    """The transcripts of manifests (.jsonl), and the lines of UTF-8 texts, plain, gzip or xz.

    Raises
    ------
    AsrError
        A file is missing, damaged, or not UTF-8; or see `asr.manifest.read_records`.
    """
    for path in paths:
        if path.suffix == ".jsonl":
            yield from (record.text for record in read_records(path, Utterance))
            continue
        with open_packed(path) as file:
            try:
                yield from io.TextIOWrapper(file, encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise AsrError(f"{path}: not UTF-8 text ({error.reason})") from None


def write_sentences(paths: Sequence[Path], output: Path, normalise: Callable[[str], str],
                    roman: bool, characters: bool) -> None:
    """Write the sentences of running text (a paragraph a line), spelt out and normalised.

    Parameters
    ----------
    roman : bool
        Read Roman numerals as numbers.
    characters : bool
        Write them as `as_characters` does, for a model of characters.

    Raises
    ------
    AsrError
        As for `read_sentences`; or `output` is one of the texts.
    """
    if any(same_place(path, output) for path in paths):
        raise AsrError(f"{output}: the output is one of the texts; name another file")
    with atomic_write_packed(output) as file:
        for paragraph in track(read_sentences(paths), "paragraphs"):
            for sentence in sentences(paragraph, normalise, roman):
                line = as_characters(sentence) if characters else sentence
                file.write(f"{line}\n".encode())


def build(texts: Sequence[Path], order: int, words: int | None, vocabulary: Path | None,
          cutoffs: Sequence[int], threshold: float) -> NgramModel:
    """Estimate a model of sentences, one a line; <unk> in them stands for an unknown word.

    Parameters
    ----------
    words : int, optional
        Size of the vocabulary: so many of the most frequent words; all by default.
    vocabulary : Path, optional
        Or the words themselves, one a line.
    cutoffs : sequence of int
        See `estimate`; missing orders take the last one given.
    threshold : float
        See `prune`; 0 keeps everything.

    Raises
    ------
    AsrError
        There is no text, or <s> or </s> in it; a line of `vocabulary` is no word; there are both
        `words` and `vocabulary`, or more cut-offs than orders.
    """
    if words is not None and vocabulary is not None:
        raise AsrError("the vocabulary is given by its size or by its words: leave out --words or "
                       "--vocabulary")
    if len(cutoffs) > order:
        raise AsrError(f"{len(cutoffs)} cut-offs for an order of {order}; give one for each order "
                       "at most")
    chosen = [] if vocabulary is None else _vocabulary(vocabulary)
    tokens, listed = tokenise(texts)
    log(f"{np.count_nonzero(tokens != START):,} words and sentence ends, "
        f"{len(listed):,} different words")
    if vocabulary is None:
        counts = np.bincount(tokens, minlength=len(SPECIAL) + len(listed))[len(SPECIAL):]
        by_count = sorted(range(len(listed)), key=lambda i: (-counts[i], listed[i]))
        chosen = [listed[i] for i in by_count if listed[i] != CAPITAL_UNKNOWN][:words]
    names = [*SPECIAL, *sorted(set(chosen))]
    number = {word: i for i, word in enumerate(names)}
    renumber = np.array([*range(len(SPECIAL)), *(number.get(w, UNKNOWN) for w in listed)], np.int32)
    tokens = renumber[tokens]
    padded = [*cutoffs, *[cutoffs[-1]] * order][:order]
    model = estimate(count_ngrams(tokens, len(names), order), padded)
    if threshold > 0:
        model = prune(model, threshold)
    log("n-grams kept: " + ", ".join(f"{len(c.word):,}" for c in model.counts))
    return NgramModel(names, model.levels())


def _vocabulary(path: Path) -> list[str]:
    words = []
    for number, line in enumerate(read_lines(path), 1):
        word = line.strip()
        if len(word.split()) > 1 or word in (*SPECIAL, CAPITAL_UNKNOWN):
            raise AsrError(f"{path}:{number}: {word!r} is no word of a vocabulary: write one a "
                           f"line, and none of {', '.join(SPECIAL)}, which every model has")
        if word:
            words.append(word)
    return words


def tokenise(texts: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Number the words of texts, a sentence a line; empty lines are none.

    Returns
    -------
    tokens : np.ndarray, int32
        Sentences from `START` to `END` one after the other, <unk> as `UNKNOWN`.
    words : list of str
        What the numbers from `len(SPECIAL)` on stand for, in order of first occurrence.

    Raises
    ------
    AsrError
        There is no text, or <s> or </s> in it; see `read_sentences`.
    """
    number = {word: i for i, word in enumerate(SPECIAL)}
    tokens = array("i")
    lines = ((path, i, line) for path in texts
             for i, line in enumerate(read_sentences([path]), 1))
    for path, i, line in track(lines, "sentences"):
        words = line.split()
        if not words:
            continue
        if not _MARKERS.isdisjoint(words):
            raise AsrError(f"{path}:{i}: {_MARKED}")
        tokens.append(START)
        tokens.extend([number.setdefault(word, len(number)) for word in words])
        tokens.append(END)
    if not tokens:
        raise AsrError(f"{', '.join(str(text) for text in texts)}: no text in there")
    return np.frombuffer(tokens, np.int32), list(number)[len(SPECIAL):]


class LanguageModel(Protocol):
    """What `perplexity` asks of a model: `NgramModel`, `asr.lm.lstm.LstmModel`."""

    def knows(self, word: str) -> bool:
        """Whether a word is not <unk>."""

    def word_scores(self, sentences: Sequence[Sequence[str]]) -> Sequence[np.ndarray]:
        """Log probabilities of each sentence's words and of its end, shape (words + 1,) each."""


class Perplexity(NamedTuple):
    """What a model makes of a text."""

    sentences: int
    words: int
    """Without sentence ends."""
    unknown: int
    """Words that the model does not have."""
    log_prob: float
    """Of known words and sentence ends, natural logarithm."""
    log_prob_unknown: float
    """Of unknown words, as <unk>."""

    @property
    def perplexity(self) -> float:
        """Per known word and sentence end: what is compared between models of one vocabulary."""
        return float(np.exp(-self.log_prob / (self.words - self.unknown + self.sentences)))

    @property
    def perplexity_all(self) -> float:
        """Per word and sentence end, unknown words as <unk>."""
        total = self.log_prob + self.log_prob_unknown
        return float(np.exp(-total / (self.words + self.sentences)))


def scored(model: LanguageModel, sentences: Sequence[Sequence[str]]
           ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each sentence its `word_scores`, and which of them are not <unk>'s, bool."""
    for sentence, scores in zip(sentences, model.word_scores(sentences), strict=True):
        yield scores, np.array([*map(model.knows, sentence), True])


def words_of(texts: Iterable[str]) -> list[list[str]]:
    """The words of sentences to measure on, without empty ones.

    Raises
    ------
    AsrError
        There is no word in the text, or <s> or </s>.
    """
    spoken = []
    for number, text in enumerate(texts, 1):
        sentence = text.split()
        if not _MARKERS.isdisjoint(sentence):
            raise AsrError(f"sentence {number}: {_MARKED}")
        if sentence:
            spoken.append(sentence)
    if not spoken:
        raise AsrError("no text to measure perplexity on")
    return spoken


def perplexity(model: LanguageModel, texts: Iterable[str]) -> tuple[Perplexity, Counter[str]]:
    """Measure a model on sentences, see `words_of`; also counts the unknown words."""
    spoken = words_of(texts)
    unknown: Counter[str] = Counter()
    known_log = unknown_log = 0.0
    for sentence, (scores, known) in zip(spoken, scored(model, spoken), strict=True):
        unknown.update(word for word, there in zip(sentence, known, strict=False) if not there)
        known_log += scores[known].sum()
        unknown_log += scores[~known].sum()
    return Perplexity(len(spoken), sum(map(len, spoken)), unknown.total(), known_log,
                      unknown_log), unknown
