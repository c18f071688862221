"""How posteriors are searched."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from asr.config import Config

_Nats = Annotated[float, Field(ge=-100, le=100)]
_Slope = Annotated[float, Field(ge=-40, le=40)]  # no calibrated confidence overflows


class DecodeConfig(Config):
    """Search over posteriors; all but `search` concerns beam search alone."""

    search: Literal["greedy", "beam"] = "beam"
    """Greedy takes the best unit of each frame; beam sums over all paths of a labelling."""
    beam: int = Field(16, ge=1, le=1_000_000)
    """Number of prefixes kept from frame to frame."""
    nbest: int = Field(1, ge=1)
    """Number of different texts to list, where the beam holds as many."""
    threshold: float = Field(10.0, gt=0)
    """A prefix whose score is this many nats or more below the best one's is dropped."""
    min_posterior: float = Field(1e-3, ge=0, lt=1)
    """Units below this posterior start no new prefix in that frame, the best unit excepted."""
    sure_blank: float = Field(0.999, gt=0, le=1)
    """In a frame whose blank has at least this posterior nothing else is considered."""
    lm_weight: float = Field(1.0, ge=0, le=10)
    """Of a word's (by a model of characters: a unit's) log probability by the language model."""
    word_bonus: _Nats = 1.0
    """Added for each word (or unit), in nats; without a language model there is none."""
    open_vocabulary: bool = True
    """Whether words that the language model does not have can be found; never, where the units are
    phones, which say nothing of a word's spelling."""
    unknown_score: float = Field(-20.0, ge=-1000, le=0)
    """Added for each such word, in nats."""
    rescore_weight: float = Field(0.5, ge=0, le=1)
    """The LSTM language model's share, where there is one: of a text's log probability by the other
    so much is replaced by its own when the final beam is sorted again."""
    prior_weight: float = Field(0.0, ge=0, le=2)
    """How much of the label priors is taken off the log posteriors; without a language model,
    nothing."""
    label_priors: list[float] = Field(default_factory=list)
    """Mean posterior of each unit on speech (`asr tune decode` measures it); empty: not known."""
    calibration: tuple[_Slope, _Nats] = (1.0, 0.0)
    """Slope and offset of words' confidences in log odds; see `asr.score.confidence`."""
    hotwords: dict[str, _Nats] = Field(default_factory=dict)
    """Added for each of these words where it occurs, in nats (5 helps much); with or without a
    language model, whether it has them or not."""

    @model_validator(mode="after")
    def _consistent(self) -> "DecodeConfig":
        most = self.beam if self.search == "beam" else 1
        if self.nbest > most:
            raise ValueError(f"nbest ({self.nbest}) must not be more than the {most} that "
                             f"{self.search} search keeps")
        if self.prior_weight and not self.label_priors:
            raise ValueError("prior_weight needs label_priors, which `asr tune decode` measures")
        return self
