"""A lexicon for phones as units: pronunciations of all words that are to be heard."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError
from asr.files import atomic_write, same_place
from asr.lexicon.dictionary import Pronunciation
from asr.lm.binary import NAMES, load_lm
from asr.lm.build import read_sentences
from asr.lm.ngram import SPECIAL
from asr.progress import log

if TYPE_CHECKING:
    from asr.lexicon.pronouncer import Pronouncer  # loads torch

_NO_LEXICON = (*NAMES, ".jsonl", ".gz", ".xz")


def make_lexicon(sources: Sequence[Path], output: Path, normalise: Callable[[str], str],
                 dictionary: dict[str, list[Pronunciation]], pronouncer: "Pronouncer | None",
                 read: Sequence[Path] = ()) -> None:
    """Write a line with its phones for each pronunciation of each word of the sources, by word.

    Parameters
    ----------
    sources : sequence of Path
        Manifests, n-gram models, or texts of sentences.
    normalise : callable
        Applied to transcripts and texts.
    pronouncer : Pronouncer, optional
        Asked about the words that the dictionary does not have; without it they are left out.
    read : sequence of Path
        The files of dictionary and pronouncer.

    Raises
    ------
    AsrError
        A source cannot be read, no word has a pronunciation, or `output` is one of the files that
        are read, or named like a source where the output may have been forgotten.
    """
    if output.name.endswith(_NO_LEXICON) or any(same_place(path, output)
                                                for path in (*sources, *read)):
        raise AsrError(f"{output}: the output is read, too, or named like a source; name another "
                       "text file for the lexicon last")
    words = sorted(set().union(*(_words(path, normalise) for path in sources)))
    lexicon = {word: dictionary[word] for word in words if word in dictionary}
    missing = [word for word in words if word not in lexicon]
    if pronouncer is not None:
        predicted = zip(missing, pronouncer(missing), strict=True)
        lexicon |= {word: [pronunciation] for word, pronunciation in predicted if pronunciation}
    if not lexicon:
        raise AsrError(f"none of the {len(words)} words has a pronunciation; do they have the "
                       "dictionary's case? (--normaliser)")
    with atomic_write(output) as file:
        for word in sorted(lexicon):
            file.writelines(f"{word} {' '.join(phones)}\n" for phones in lexicon[word])
    unspoken = [word for word in missing if word not in lexicon]
    log(f"{len(words):,} words: {len(words) - len(missing):,} in the dictionary, "
        f"{len(missing) - len(unspoken):,} predicted, {len(unspoken):,} without a pronunciation"
        + (f" ({', '.join(unspoken[:5])}{', …' if len(unspoken) > 5 else ''})" if unspoken else ""))


def _words(path: Path, normalise: Callable[[str], str]) -> set[str]:
    if path.name.endswith(NAMES):
        return set(load_lm(path).words[len(SPECIAL):])
    return {word for sentence in read_sentences([path])
            for word in normalise(sentence).split()}
