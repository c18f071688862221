"""A model as a folder that says everything about itself. No code, no pickle.

    bundle.json          format, features, network, phones, normaliser, provenance
    model.safetensors    weights, and the training set's statistics for global normalisation
    units.txt            what the outputs stand for, one a line (or units.model for byte pairs,
                         lexicon.txt for phones)
    lm.lm                n-grams for beam search, where they were chosen
    lstm.safetensors     an LSTM language model for rescoring, where one was chosen
    README.md            the same for people
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asr import __version__
from asr.config import Config, parse_config
from asr.decode.config import DecodeConfig
from asr.errors import AsrError
from asr.features.cmvn import moments, statistics_of
from asr.features.config import FeatureConfig
from asr.features.extract import extract
from asr.files import atomic_folder, read_text
from asr.model.config import ModelConfig
from asr.model.shapes import parameter_shapes
from asr.model.weights import Precision, check_contents, contents, pack, unpack
from asr.text.config import FILES as UNITS_FILES
from asr.text.config import Kind, load_units
from asr.text.units import Units

if TYPE_CHECKING:
    from asr.model.network import Network
    from asr.model.runtime import Runtime

FORMAT = 1
FILES = ("bundle.json", "model.safetensors", *UNITS_FILES.values(), "lm.lm", "lstm.safetensors",
         "README.md")
_KINDS = {"characters": "characters", "bpe": "byte pairs", "phones": "phones"}  # for people
_STATISTICS = "cmvn"  # name of the global statistics among the tensors


class BundleConfig(Config):
    """What bundle.json holds."""

    format: int = FORMAT
    asr_version: str = __version__
    """Version that wrote the bundle."""
    features: FeatureConfig
    model: ModelConfig
    weights: Precision = "float32"
    """How the file of weights holds them; the network computes in float32."""
    units: Kind = "characters"
    """What its outputs stand for."""
    phones: list[str] = Field(default_factory=list)
    """Where they are phones, all of them in order, the blank first: the lexicon beside them may be
    given other words, but not other phones."""
    normaliser: str
    """What was done to the training transcripts, see `asr.text.normalise`."""
    decoding: DecodeConfig = DecodeConfig()
    """How to search its posteriors, where nobody says otherwise; see `asr tune decode`."""
    card: str = ""
    """Markdown for people: what it was trained on, what it is for, what it is bad at."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Data hash, seed, commit, command, development result …"""


@dataclass(frozen=True)
class Bundle:
    """A loaded model: all that is needed from samples to posteriors."""

    config: BundleConfig
    units: Units
    weights: dict[str, np.ndarray]
    """The network's parameters, see `asr.model.shapes.parameter_shapes`; float32."""
    training_statistics: np.ndarray | None
    """Shape (2, F), for global normalisation."""
    lm: Path | None
    """File of the n-grams that go with `config.decoding`."""
    lstm: Path | None
    """File of the LSTM language model that goes with it."""
    device: str = "cpu"
    """Where the network computes."""

    @cached_property
    def network(self) -> "Network":
        """The network in torch, on `device`."""
        import torch

        from asr.model.network import Network

        with torch.device("meta"):  # the weights are there already
            network = Network(self.config.model, self.config.features.dimension, len(self.units))
        network.load_state_dict({name: torch.from_numpy(array)
                                 for name, array in self.weights.items()}, assign=True)
        return network.to(self.device).eval()

    @cached_property
    def _runtime(self) -> "Runtime":
        from asr.model.runtime import Runtime

        return Runtime(self.config.model, self.config.features.dimension, self.weights)

    def prepare(self) -> None:
        """Get what computes posteriors ready, which else their first ones wait for."""
        if self.device == "cpu":
            self._runtime  # noqa: B018
        else:
            self.network  # noqa: B018

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the samples that `log_posteriors_of_audio` takes."""
        return self.config.features.sample_rate

    @property
    def frame_step(self) -> int:
        """Samples per output frame."""
        return self.config.features.shift * self.config.model.subsampling

    @property
    def frame_shift(self) -> float:
        """Seconds per output frame."""
        return self.frame_step / self.sample_rate

    def statistics(self, sums: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
        """Normalisation of utterances with the `moments` sums, shape (N, 2, F)."""
        return statistics_of(self.config.features.cmvn, sums, speakers, self.training_statistics)

    def log_posteriors(self, frames: Sequence[np.ndarray], statistics: np.ndarray
                       ) -> list[np.ndarray]:
        """Run the network on one batch, in float32; by torch only where there is a GPU.

        Parameters
        ----------
        frames : sequence of N np.ndarray, shape = (T, F) each, float16
        statistics : np.ndarray, shape = (N, 2, F), float32

        Returns
        -------
        list of N np.ndarray, shape = (T', V) each, float32
            Natural logarithms; an utterance without frames gives shape (0, V).
        """
        if self.device == "cpu":
            return self._runtime.log_posteriors(frames, statistics)
        from asr.model.inference import log_posteriors

        return log_posteriors(self.network, frames, statistics)

    def log_posteriors_of_audio(self, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log posteriors of recordings, each on its own (a speaker of its own).

        Parameters
        ----------
        samples : sequence of N np.ndarray, shape = (samples,) each, float32
            Full scale ±1, at `sample_rate`.

        Returns
        -------
        list of N np.ndarray, shape = (T', V) each, float32
            Natural logarithms; T' is 0 for a recording shorter than one window.
        """
        frames = [extract(s, self.config.features) for s in samples]
        sums = np.stack([moments(f) for f in frames])
        statistics = self.statistics(sums, [str(i) for i in range(len(frames))])
        return self.log_posteriors(frames, statistics)


def save_bundle(path: Path, config: BundleConfig, units: Units,
                weights: dict[str, np.ndarray], training_statistics: np.ndarray | None,
                lm: bytes | None = None, lstm: bytes | None = None) -> None:
    """Write a bundle as a whole.

    Parameters
    ----------
    lm, lstm : bytes, optional
        Content of `lm.lm` and `lstm.safetensors`.
    """
    if config.units == "phones":
        config = config.model_copy(update={"phones": list(units.symbols)})
    tensors = pack(weights, config.weights)
    if training_statistics is not None:
        tensors[_STATISTICS] = training_statistics
    with atomic_folder(path, FILES) as folder:
        (folder / "model.safetensors").write_bytes(save(tensors))
        units.save(folder / UNITS_FILES[config.units])
        _add_models(folder, lm, lstm)
        _describe(folder, config, units)


def packaged_bundle() -> Path:
    """The folder of the English model that comes with the package.

    Raises
    ------
    AsrError
        It was left out of this copy of the package.
    """
    path = Path(__file__).parents[1] / "english"
    if not (path / "bundle.json").is_file():
        raise AsrError("this copy of asr holds no model of its own; name one with --model")
    return path


def load_bundle(path: Path, device: str = "cpu") -> Bundle:
    """Load a bundle for inference.

    Raises
    ------
    AsrError
        No bundle is there, it has another format, or its files do not fit together.
    """
    if not (path / "bundle.json").is_file():
        raise AsrError(f"{path}: no model bundle there (no bundle.json)")
    try:
        values = json.loads(read_text(path / "bundle.json"))
        found = values.get("format")
    except (ValueError, AttributeError, RecursionError):
        raise AsrError(f"{path}/bundle.json: not valid JSON") from None
    if found != FORMAT:
        raise AsrError(f"{path}: bundle format {found}, written by asr "
                       f"{values.get('asr_version', '?')}; this is asr {__version__}, which reads "
                       f"format {FORMAT}")
    config = parse_config(BundleConfig, values, f"{path}/bundle.json")
    units = _load_units(path, config)
    shapes = parameter_shapes(config.model, config.features.dimension, len(units))
    expected = contents(shapes, config.weights)
    if config.features.cmvn == "global":
        expected[_STATISTICS] = ("F32", [2, config.features.dimension])
    try:
        with safe_open(path / "model.safetensors", framework="numpy") as file:
            check_contents(path, file, expected, "take another copy of the bundle")
            weights = unpack({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except FileNotFoundError:
        raise AsrError(f"{path}: model.safetensors is missing, or you may not read it") from None
    except (SafetensorError, OSError) as error:
        raise AsrError(f"{path}/model.safetensors: damaged ({error})") from None
    statistics = weights.pop(_STATISTICS, None)
    lm, lstm = (file if (file := path / name).exists() else None
                for name in ("lm.lm", "lstm.safetensors"))
    return Bundle(config, units, weights, statistics, lm, lstm, device)


def bundle_files(path: Path) -> list[Path]:
    """Those of `FILES` that are in the folder `path`."""
    return [file for name in FILES if (file := path / name).exists()]


def set_decoding(path: Path, decoding: DecodeConfig, lm: bytes | None, lstm: bytes | None,
                 provenance: dict[str, Any]) -> None:
    """Give a bundle other settings of its search, and the language models they are for.

    The weights stay as they are; the bundle is replaced as a whole.

    Parameters
    ----------
    lm, lstm : bytes, optional
        Content of `lm.lm` and `lstm.safetensors`; none removes it.
    provenance : dict
        Entries to add or replace.
    """
    config = parse_config(BundleConfig, json.loads(read_text(path / "bundle.json")),
                          f"{path}/bundle.json")
    config = config.model_copy(update={"decoding": decoding,
                                       "provenance": config.provenance | provenance})
    with atomic_folder(path, FILES) as folder:
        for name in ("model.safetensors", UNITS_FILES[config.units]):
            shutil.copyfile(path / name, folder / name)
        _add_models(folder, lm, lstm)
        _describe(folder, config, _load_units(path, config))


def _load_units(path: Path, config: BundleConfig) -> Units:
    if config.units == "phones" and not config.phones:
        raise AsrError(f"{path}/bundle.json: `phones` is missing; take another copy of the bundle")
    return load_units(config.units, path, config.phones)


def _add_models(folder: Path, lm: bytes | None, lstm: bytes | None) -> None:
    for name, content in (("lm.lm", lm), ("lstm.safetensors", lstm)):
        if content is not None:
            (folder / name).write_bytes(content)


def _describe(folder: Path, config: BundleConfig, units: Units) -> None:
    """Write what a program and what people read about the bundle."""
    (folder / "bundle.json").write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
    (folder / "README.md").write_text(_card(config, units), "utf-8")


def _card(config: BundleConfig, units: Units) -> str:
    model, features = config.model, config.features
    direction = "bidirectional" if model.bidirectional else "one-directional"
    provenance = "\n".join(f"- {key}: {value}" for key, value in config.provenance.items())
    return f"""# Speech recognition model

{direction} {model.cell.upper()} with CTC, {model.layers} × {model.units} cells, on \
{features.dimension} {features.kind} values every {1000 * features.frame_shift:g} ms, one output \
every {1000 * features.frame_shift * model.subsampling:g} ms, {len(units)} \
{_KINDS[config.units]}, text normalised as `{config.normaliser}`, weights in {config.weights}. \
Written by asr {config.asr_version}.

    asr transcribe --model THIS_FOLDER speech.wav

{config.card}
## Where it is from

{provenance}
"""
