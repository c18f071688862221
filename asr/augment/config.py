"""What copies of an utterance training hears."""

from typing import Annotated

from pydantic import Field, model_validator

from asr.augment.noise import BabbleConfig, ColouredNoiseConfig, NoiseConfig
from asr.augment.part import Part
from asr.augment.reverberation import ReverberationConfig
from asr.augment.telephone import TelephoneConfig
from asr.augment.volume import VolumeConfig
from asr.config import Config

Speed = Annotated[float, Field(ge=0.25, le=4)]


class AugmentConfig(Config):
    """Copies of each utterance in a store; a part that is absent is off.

    An augmented copy goes through the parts in the order in which they stand here. What would
    pass full scale after a part is scaled down.
    """

    seed: int = 0
    speeds: tuple[Speed, ...] = Field((1.0,), min_length=1)
    """Each makes a plain copy; an augmented one is at one of them, drawn."""
    copies: int = Field(0, ge=0)
    """Augmented copies besides the plain ones."""
    reverberation: ReverberationConfig | None = None
    noise: NoiseConfig | None = None
    coloured_noise: ColouredNoiseConfig | None = None
    babble: BabbleConfig | None = None
    volume: VolumeConfig | None = None
    telephone: TelephoneConfig | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "AugmentConfig":
        if bool(self.copies) != bool(self.parts):
            raise ValueError(f"copies={self.copies}, but parts that change them: "
                             f"{', '.join(self.parts) or 'none'}; set both or neither")
        return self

    @property
    def parts(self) -> dict[str, Part]:
        """Those that are on, by name, in the order of application."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: part for name, part in sections.items() if isinstance(part, Part)}
