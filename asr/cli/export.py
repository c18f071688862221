from pathlib import Path
from typing import Literal

import click

from asr.files import read_text


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Choice(["float32", "float16", "int8"]),
              help="Precision of a bundle's weights. Default: int8.")
@click.option("--card", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.md",
              help="What people should know of it; goes into the bundle's README.md.")
def export(bundle: Path, output: Path, weights: Literal["float32", "float16", "int8"] | None,
           card: Path | None) -> None:
    """Write BUNDLE for where it is to run.

    OUTPUT is a folder: a bundle with smaller weights; or, by its name, an .onnx file: the network
    alone, in float32, for runtimes other than torch.
    """
    if output.suffix == ".onnx":
        if weights or card:
            raise click.UsageError("--weights and --card are for a bundle; name a folder as OUTPUT")
        from asr.export.onnx_file import export_onnx
        from asr.model.bundle import load_bundle

        export_onnx(load_bundle(bundle), output)
    else:
        from asr.export.smaller import export_bundle

        export_bundle(bundle, output, weights or "int8", "" if card is None else read_text(card))
