from pathlib import Path
from typing import Literal

import click


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Choice(["float32", "float16", "int8"]), default="int8",
              show_default=True, help="Precision of a bundle's weights.")
def export(bundle: Path, output: Path, weights: Literal["float32", "float16", "int8"]) -> None:
    """Write BUNDLE for where it is to run.

    OUTPUT is a folder: a bundle with smaller weights.
    """
    from asr.export.smaller import export_bundle

    export_bundle(bundle, output, weights)
