"""What a search runs with: the model bundle's own settings, changed by a caller's wishes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asr.config import parse_config
from asr.decode.character_lm import character_scorer
from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search
from asr.decode.word_lm import spell, word_scorer
from asr.errors import AsrError
from asr.lm.binary import load_lm
from asr.lm.ngram import SPECIAL, UNKNOWN, Level, NgramModel
from asr.progress import log
from asr.text.normalise import normaliser
from asr.text.phones import PhoneUnits
from asr.text.units import WORD_BOUNDARY, as_characters

if TYPE_CHECKING:
    from asr.model.bundle import Bundle
    from asr.text.units import Units

_GREEDY = {"search", "nbest", "calibration"}  # settings that greedy search looks at
_OF_LM = {"lm_weight", "word_bonus", "open_vocabulary", "unknown_score", "rescore_weight",
          "prior_weight", "label_priors"}  # settings that need a language model
_USUAL = 0.9  # share of a model's words that should consist of the units


class SearchRequest(NamedTuple):
    """A caller's wishes."""

    changes: dict[str, Any]
    """Fields of `DecodeConfig` that differ from the bundle's."""
    lm: Path | None = None
    """An n-gram model in place of the bundle's."""
    without_lm: bool = False
    """Take none, not even the bundle's, nor its LSTM model."""
    lstm: Path | None = None
    """An LSTM language model in place of the bundle's, to rescore with."""

    def depends(self) -> Iterator[str | Path]:
        """All that is asked for, as texts and as files."""
        yield repr((sorted(self.changes.items()), self.without_lm))
        yield from (path for path in (self.lm, self.lstm) if path is not None)


def prepare_search(bundle: "Bundle", request: SearchRequest | None = None) -> Search:
    """Settle how to search the posteriors of a bundle.

    Raises
    ------
    AsrError
        A change is no valid setting or of none to this search, a language model is given for greedy
        search, an LSTM model without n-grams, or one cannot be read or used with the units.
    """
    request = request or SearchRequest({})
    path = request.lm or (None if request.without_lm else bundle.lm)
    lstm = request.lstm or (None if request.without_lm else bundle.lstm)
    own = bundle.config.decoding.model_dump()
    search = request.changes.get("search", own["search"])
    if search != own["search"] or (search == "beam" and (path, lstm) != (bundle.lm, bundle.lstm)):
        del own["calibration"]  # it is for what it was fitted to
    config = parse_config(DecodeConfig, own | request.changes, "decoding")
    # `rescore_weight=0` asks for no LSTM model, which can be had everywhere.
    given = {name for name, value in request.changes.items() if value or name != "rescore_weight"}
    if config.search == "greedy":
        model = request.lm or request.lstm
        if model is not None:
            raise AsrError(f"greedy search cannot use a language model ({model}); take "
                           "--search beam, or leave it out")
        _refuse(given - _GREEDY, "greedy search", "take --search beam")
        return Search(config)
    normalise = normaliser(bundle.config.normaliser)
    if config.label_priors and len(config.label_priors) != len(bundle.units):
        raise AsrError(f"decoding: {len(config.label_priors)} label_priors for {len(bundle.units)} "
                       "units; measure them with asr tune decode")
    hotwords = {_one_word(word, normalise): boost for word, boost in config.hotwords.items()}
    if path is None and request.lstm is not None:
        raise AsrError(f"{request.lstm}: an LSTM model rescores what n-grams have found; name "
                       "theirs with --lm")
    if path is None:
        _refuse(given & _OF_LM, "a search without language model", "name one with --lm")
    words: LmSearch
    if path is not None:
        words = lm_search(load_lm(path), bundle.units, path, hotwords)
    elif hotwords or bundle.units.vocabulary is not None:
        words = WordSearch(_no_model(bundle.units.vocabulary or ()), bundle.units, None, hotwords)
        config = config.model_copy(update={"lm_weight": 0.0, "word_bonus": 0.0, "prior_weight": 0.0,
                                           "unknown_score": 0.0, "open_vocabulary": True})
    else:
        return Search(config.model_copy(update={"prior_weight": 0.0}))
    if "unknown_score" not in words.weights:
        _refuse(given & {"open_vocabulary", "unknown_score"},
                "a search for the words of a lexicon, or with a model of characters,",
                "take a model of words for characters or byte pairs")
    if not config.open_vocabulary:
        _refuse(given & {"unknown_score"}, "a closed vocabulary", "set open_vocabulary=true")
    if lstm is None:
        _refuse(given & {"rescore_weight"}, "a search without LSTM model", "name one with --lstm")
    found = words.search(config)
    if request.lstm is None and config.rescore_weight == 0:
        lstm = None  # one that is named is read whatever its weight, or a wrong name went unsaid
    return found if lstm is None else found._replace(rescore=rescorer(words, lstm))


def _one_word(hotword: str, normalise: Callable[[str], str]) -> str:
    word = normalise(hotword)
    if len(word.split()) != 1:
        raise AsrError(f"hotword `{hotword}`: not one word in the model's spelling (`{word}`); "
                       "name single words")
    return word


def _refuse(names: Collection[str], search: str, remedy: str) -> None:
    """Raise an `AsrError` if a caller gave settings that the search does not look at."""
    if names:
        raise AsrError(f"{search} has no use for {', '.join(sorted(names))}; {remedy}, or leave "
                       "it out")


def _no_model(words: Sequence[str]) -> NgramModel:
    """One that adds nothing."""
    words = [*SPECIAL, *words]
    nothing = np.zeros(len(words), np.float32)
    return NgramModel(words, [Level(np.zeros(len(words), np.int32),
                                    np.arange(len(words), dtype=np.int32), nothing, nothing)])


def lm_search(model: NgramModel, units: "Units", path: Path,
              hotwords: Mapping[str, float] = MappingProxyType({})) -> "LmSearch":
    """How to search with a model: it is of characters if its words are, and it has the boundary.

    Raises
    ------
    AsrError
        See `WordSearch`; or a model of characters is given with hotwords, or for other units.
    """
    if WORD_BOUNDARY not in model.index or any(len(w) > 1 for w in model.words[len(SPECIAL):]):
        return WordSearch(model, units, path, hotwords)
    if any(len(symbol) > 1 for symbol in units.symbols[1:]):
        raise AsrError(f"{path}: a model of characters, but the network's units are others "
                       f"({_some(units)})")
    if hotwords:
        raise AsrError(f"{path}: a model of characters, with which there can be no hotwords")
    return CharacterSearch(model, units)


class CharacterSearch:
    """A character model, from which scorers of any weights are made."""

    weights = ("lm_weight", "word_bonus")
    """What of `DecodeConfig` it depends on."""

    def __init__(self, model: NgramModel, units: "Units") -> None:
        self.model = model
        self.units = units

    def unknown_share(self, texts: Iterable[str]) -> float:
        """Share of the characters of texts that the model does not have."""
        return float((self.model.encode(as_characters(" ".join(texts)).split()) == UNKNOWN).mean())

    def log_prob(self, text: str) -> float:
        """Of a text and its end, in nats."""
        return float(self.model.score(as_characters(text).split()).sum())

    def search(self, config: DecodeConfig) -> Search:
        """With the weights of a configuration."""
        return Search(config, character_scorer(self.model, self.units.symbols, config.lm_weight,
                                               config.word_bonus))


class WordSearch:
    """A word model with its lexicon in units, from which scorers of any weights are made.

    Parameters
    ----------
    path : Path, optional
        Of the model, for messages.
    hotwords : mapping
        Words that the lexicon shall have in any case, each with what it adds to a score.

    Attributes
    ----------
    weights : tuple of str
        What of `DecodeConfig` it depends on.

    Raises
    ------
    AsrError
        None of the model's words consists of the units, or a hotword does not; if few of the
        model's do, there is a warning.
    """

    def __init__(self, model: NgramModel, units: "Units", path: Path | None,
                 hotwords: Mapping[str, float] = MappingProxyType({})) -> None:
        self.model = model
        self.units = units
        self.weights = ("lm_weight", "word_bonus",
                        *(["unknown_score"] if units.vocabulary is None else []))
        for word in hotwords:
            if not units.spellings(word):
                raise AsrError(f"hotword `{word}`: " + (
                    "the model's lexicon has no such word; add a line with it and its phones to "
                    "lexicon.txt in a copy of the bundle" if isinstance(units, PhoneUnits)
                    else f"not made of the model's units ({_some(units)})"))
        self.words = [*model.words, *(word for word in hotwords if word not in model.index)]
        self.boosts = [hotwords.get(word, 0.0) for word in self.words] if hotwords else []
        self.lexicon = spell(self.words, units)
        if path is not None:
            self._check(path)

    def _check(self, path: Path) -> None:
        words = len(self.model.words) - len(SPECIAL)
        numbers = np.unique(self.lexicon.words)
        spelt = int((numbers < len(self.model.words)).sum())
        known = f"made of the model's units ({_some(self.units)})"
        remedy = "build it from text in the same case, with the same normaliser (asr lm text)"
        if isinstance(self.units, PhoneUnits):
            known = "in the model's lexicon"
            remedy += (", or put its words' pronunciations (asr lexicon make) into lexicon.txt in "
                       "a copy of the bundle")
        if not spelt:
            example = next(iter(self.model.words[len(SPECIAL):]), "no word at all")
            raise AsrError(f"{path}: none of its {words} words ({example}, …) is {known}; {remedy}")
        if spelt < _USUAL * words:
            log(f"asr: warning: {path}: only {spelt:,} of its {words:,} words are {known} and can "
                f"be found; {remedy}")

    def unknown_share(self, texts: Iterable[str]) -> float:
        """Share of the words of texts that the model does not have."""
        return float((self.model.encode(" ".join(texts).split()) == UNKNOWN).mean())

    def log_prob(self, text: str) -> float:
        """Of a text and its end, in nats."""
        return float(self.model.score(text.split()).sum())

    def search(self, config: DecodeConfig) -> Search:
        """With the weights of a configuration."""
        scorer = word_scorer(self.model, self.lexicon, self.units.parts, config.lm_weight,
                             config.word_bonus,
                             config.unknown_score if config.open_vocabulary
                             and self.units.vocabulary is None else -np.inf, self.boosts)
        return Search(config, scorer, self.read)

    def read(self, spelling: np.ndarray, reading: int) -> str:
        """The word with these units; of those that are spelt alike the one of this reading."""
        numbers = self.lexicon.find(spelling)
        if not len(numbers):
            return self.units.decode(spelling.tolist())
        return self.words[numbers[reading]]


def _some(units: "Units") -> str:
    return " ".join(units.symbols[2:12]) + (" …" if len(units) > 12 else "")


LmSearch = WordSearch | CharacterSearch


def rescorer(words: LmSearch, lstm: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """What `Search.rescore` is to be, with an LSTM language model.

    Raises
    ------
    AsrError
        See `LstmModel.load`.
    """
    from asr.lm.lstm import LstmModel  # needs torch, unlike all else here

    score = LstmModel.load(lstm).score
    return lambda texts: score(texts) - [words.log_prob(text) for text in texts]
