"""How posteriors are searched."""

from typing import Literal

from pydantic import Field, model_validator

from asr.config import Config


class DecodeConfig(Config):
    """Search over posteriors; the pruning fields concern beam search alone."""

    search: Literal["greedy", "beam"] = "beam"
    """Greedy takes the best unit of each frame; beam sums over all paths of a labelling."""
    beam: int = Field(16, ge=1)
    """Number of prefixes kept from frame to frame."""
    nbest: int = Field(1, ge=1)
    """Number of different texts to list, where the beam holds as many."""
    threshold: float = Field(15.0, gt=0)
    """A prefix whose score is this many nats or more below the best one's is dropped."""
    min_posterior: float = Field(1e-4, ge=0, lt=1)
    """Units below this posterior start no new prefix in that frame, the best unit excepted."""

    @model_validator(mode="after")
    def _consistent(self) -> "DecodeConfig":
        most = self.beam if self.search == "beam" else 1
        if self.nbest > most:
            raise ValueError(f"nbest ({self.nbest}) must not be more than the {most} that "
                             f"{self.search} search keeps")
        return self
