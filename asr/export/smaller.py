"""A bundle with smaller weights."""

from pathlib import Path

from asr.errors import AsrError
from asr.files import same_place, sha256
from asr.model.bundle import load_bundle, save_bundle
from asr.model.weights import Precision
from asr.progress import log


def export_bundle(folder: Path, output: Path, precision: Precision, card: str = "") -> None:
    """Write the bundle in `folder` with its weights in another precision.

    What they are rounded to is what the new bundle computes with, in float32.

    Parameters
    ----------
    card : str
        See `BundleConfig.card`; the bundle's own by default.

    Raises
    ------
    AsrError
        See `asr.model.bundle.load_bundle`; or the output is the bundle itself.
    """
    if same_place(output, folder):
        raise AsrError(f"{output}: the output is the bundle itself; name another folder")
    bundle = load_bundle(folder)
    origin = {"weights of": sha256(folder / "model.safetensors")}
    config = bundle.config.model_copy(update={
        "weights": precision, "card": card or bundle.config.card,
        "provenance": bundle.config.provenance | origin})
    save_bundle(output, config, bundle.units, bundle.weights, bundle.training_statistics,
                *(None if path is None else path.read_bytes() for path in (bundle.lm, bundle.lstm)))
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in (folder, output)]
    log(f"{folder}: {sizes[0] / 1e6:.1f} MB, {output}: {sizes[1] / 1e6:.1f} MB")
