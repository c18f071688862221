"""From text files to an n-gram model, and from a model to its perplexity."""

import io
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.errors import AsrError
from asr.files import atomic_write_packed, open_packed, read_lines
from asr.lm.kneser_ney import count_ngrams, estimate
from asr.lm.ngram import END, SPECIAL, START, UNKNOWN, NgramModel
from asr.lm.prune import prune
from asr.lm.text import sentences
from asr.progress import log, track


def read_sentences(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of UTF-8 text files, plain or packed by gzip or xz.

    Raises
    ------
    AsrError
        A file is missing, damaged, or not UTF-8.
    """
    for path in paths:
        with open_packed(path) as file:
            try:
                yield from io.TextIOWrapper(file, encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise AsrError(f"{path}: not UTF-8 text ({error.reason})") from None


def write_sentences(paths: Sequence[Path], output: Path, normalise: Callable[[str], str],
                    roman: bool) -> None:
    """Write the sentences of running text (a paragraph a line), spelt out and normalised."""
    with atomic_write_packed(output) as file:
        for paragraph in track(read_sentences(paths), "paragraphs"):
            for sentence in sentences(paragraph, normalise, roman):
                file.write(f"{sentence}\n".encode())


def build(texts: Sequence[Path], order: int, words: int | None, vocabulary: Path | None,
          cutoffs: Sequence[int], threshold: float) -> NgramModel:
    """Estimate a model of sentences, one a line.

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
    """
    tokens, listed = _tokens(texts)
    log(f"{len(tokens):,} words and sentence ends, {len(listed):,} different words")
    if vocabulary is not None:
        chosen = [line.strip() for line in read_lines(vocabulary) if line.strip()]
    else:
        counts = np.bincount(tokens, minlength=len(SPECIAL) + len(listed))[len(SPECIAL):]
        by_count = sorted(range(len(listed)), key=lambda i: (-counts[i], listed[i]))
        chosen = [listed[i] for i in by_count[:words]]
    names = [*SPECIAL, *sorted(set(chosen) - set(SPECIAL))]
    number = {word: i for i, word in enumerate(names)}
    renumber = np.array([*range(len(SPECIAL)), *(number.get(w, UNKNOWN) for w in listed)], np.int32)
    tokens = renumber[tokens]
    padded = [*cutoffs, *[cutoffs[-1]] * order][:order]
    model = estimate(count_ngrams(tokens, len(names), order), padded)
    if threshold > 0:
        model = prune(model, threshold)
    log("n-grams kept: " + ", ".join(f"{len(c.word):,}" for c in model.counts))
    return NgramModel(names, model.levels())


def _tokens(texts: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Sentences from `START` to `END` one after the other, words in order of first occurrence."""
    number = {word: i for i, word in enumerate(SPECIAL)}
    tokens = array("i")
    for line in track(read_sentences(texts), "sentences"):
        words = line.split()
        if not words:
            continue
        tokens.append(START)
        tokens.extend([number.setdefault(word, len(number)) for word in words])
        tokens.append(END)
    if not tokens:
        raise AsrError(f"{', '.join(str(text) for text in texts)}: no text in there")
    return np.frombuffer(tokens, np.int32), list(number)[len(SPECIAL):]


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


def perplexity(model: NgramModel, texts: Iterable[str]) -> tuple[Perplexity, Counter[str]]:
    """Measure a model on sentences; also counts the unknown words.

    Raises
    ------
    AsrError
        There is no word in the text.
    """
    unknown: Counter[str] = Counter()
    sentence_count = words = 0
    known_log = unknown_log = 0.0
    for text in texts:
        sentence = text.split()
        if not sentence:
            continue
        scores = model.score(sentence)
        missing = np.append(model.encode(sentence) == UNKNOWN, False)
        unknown.update(word for word, gone in zip(sentence, missing, strict=False) if gone)
        sentence_count, words = sentence_count + 1, words + len(sentence)
        known_log += scores[~missing].sum()
        unknown_log += scores[missing].sum()
    if not words:
        raise AsrError("no text to measure perplexity on")
    return Perplexity(sentence_count, words, unknown.total(), known_log, unknown_log), unknown
