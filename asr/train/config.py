"""Everything that decides what a training does, but for its data."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from asr.augment.spec_augment_config import SpecAugmentConfig
from asr.config import Config, Seed
from asr.model.config import ModelConfig
from asr.text.config import UnitsConfig

_Decay = Annotated[float, Field(ge=0, lt=1)]


def _dotted(rates: Any) -> Any:
    """One mapping of dotted names: the dots of `rates.layers.0=0.1` have made several of it."""
    if not isinstance(rates, dict):
        return rates
    names: dict[str, Any] = {}
    for name, rate in rates.items():
        inner = _dotted(rate)
        names |= ({f"{name}.{part}": value for part, value in inner.items()}
                  if isinstance(inner, dict) else {str(name): inner})
    return names


class AverageConfig(Config):
    """Which epochs' weights are averaged into the final model."""

    of: Literal["best", "last"] = "last"
    """The epochs with the lowest development WER, or the last ones."""
    epochs: int = Field(5, ge=1)
    """How many."""
    decay: _Decay = 0.0
    """What is measured and kept after an epoch is a mean of the weights over its steps and those
    before, each step counting for this much of the next (exponential moving average, e.g. 0.999);
    0 takes the weights as they are."""


class ScheduleConfig(Config):
    """Learning rate over time."""

    kind: Literal["cosine", "linear", "plateau"] = "cosine"
    """After the warm-up: a half cosine or a straight line down to 0 at the last epoch, or constant,
    multiplied by `factor` whenever the development loss has not improved for `patience` epochs."""
    warmup: float = Field(1.0, ge=0)
    """Epochs in which the rate rises linearly from 0."""
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(2, ge=1)


class TrainConfig(Config):
    """Settings of `asr train`."""

    seed: Seed = 0
    epochs: int = Field(40, ge=1)
    model: ModelConfig = ModelConfig()
    units: UnitsConfig = UnitsConfig()
    normaliser: str = "librispeech"
    """What is done to transcripts, see `asr.text.normalise`."""
    batch_seconds: float = Field(60.0, gt=0)
    """Speech in a batch over all processes, padding included."""
    learning_rate: float = Field(2e-3, gt=0)
    """The highest."""
    rates: Annotated[dict[str, Annotated[float, Field(ge=0)]], BeforeValidator(_dotted)] = Field(
        default_factory=dict)
    """Multiples of the learning rate for parameters by the beginning of their names, e.g.
    `{front_end: 0, layers.0: 0.1}` or `rates.layers.0=0.1`; the longest counts, and 0 freezes."""
    optimiser: Literal["adamw", "muon", "sgd"] = "adamw"
    """Muon, for the matrices inside the network, takes AdamW's rates."""
    betas: tuple[_Decay, _Decay] = (0.9, 0.98)
    """Of AdamW; the first is the momentum of `sgd` (Nesterov's)."""
    weight_decay: float = Field(1e-2, ge=0)
    clip: float = Field(1.0, gt=0)
    """Longest gradient of the loss per label; a longer one is shortened to it."""
    schedule: ScheduleConfig = ScheduleConfig()
    spec_augment: SpecAugmentConfig = SpecAugmentConfig()
    consistency: float = Field(0.0, ge=0)
    """Each utterance is heard twice, with other masks and dropout, and the two posteriors are drawn
    to each other with this weight beside their mean loss (CR-CTC, Yao et al. 2024, who take 0.2);
    0 hears it once. `batch_seconds` counts it once."""
    crf: float = Field(0.0, ge=0, le=1)
    """Share of CTC-CRF (Xiang & Ou 2019) in the loss, the rest is CTC: the network learns what to
    add to trigrams of the transcripts' units, as a language model will be there in the search. For
    up to 200 units, from a network that CTC has trained (`--init`); 0.9 is usual. What is chosen by
    error rates (`early_stop`, `average.of=best`) is so by greedy search, without those trigrams."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the products in training; `auto` is float16 on a GPU and bfloat16 on a CPU where they have
    the units for it. Development is always measured in float32."""
    unfit: Literal["refuse", "drop"] = "refuse"
    """What becomes of training utterances that CTC cannot learn from (more labels than frames,
    no text, no frames, words that the units cannot spell): an error that names them, or left out
    and counted."""
    nonspeech: bool = False
    """Take an utterance without text for one in which nothing is said, from which the network
    learns to be silent (`asr prepare nonspeech`), and not for an unfit one."""
    dev_utterances: int = Field(0, ge=0)
    """Measure development on this many utterances, evenly spread over the set; 0 is all."""
    early_stop: int = Field(0, ge=0)
    """Stop after this many epochs without a lower development WER; 0 is never."""
    average: AverageConfig = AverageConfig()
    checkpoint_minutes: float = Field(5.0, gt=0)
    """A checkpoint at least this often; there is one after every epoch."""
