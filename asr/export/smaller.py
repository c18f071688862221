"""A bundle with smaller weights."""

from collections.abc import Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.export.mean import load_mean
from asr.files import same_place, sha256
from asr.model.bundle import save_bundle
from asr.model.weights import Precision
from asr.progress import log


def export_bundle(folders: Sequence[Path], output: Path, precision: Precision, card: str = ""
                  ) -> None:
    """Write the bundle in a folder, or the mean of several, with weights in another precision.

    What they are rounded to is what the new bundle computes with, in float32.

    Parameters
    ----------
    card : str
        See `BundleConfig.card`; the bundle's own by default.

    Raises
    ------
    AsrError
        See `load_mean`; or the output is one of the bundles.
    """
    if any(same_place(output, folder) for folder in folders):
        raise AsrError(f"{output}: the output is the bundle itself; name another folder")
    bundle = load_mean(folders)
    origin = [sha256(folder / "model.safetensors") for folder in folders]
    config = bundle.config.model_copy(update={
        "weights": precision, "card": card or bundle.config.card,
        "provenance": bundle.config.provenance | {
            "weights of": origin[0] if len(origin) == 1 else origin}})
    save_bundle(output, config, bundle.units, bundle.weights, bundle.training_statistics,
                *(None if path is None else path.read_bytes() for path in (bundle.lm, bundle.lstm)))
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in (folders[0], output)]
    log(f"{folders[0]}: {sizes[0] / 1e6:.1f} MB, {output}: {sizes[1] / 1e6:.1f} MB")
