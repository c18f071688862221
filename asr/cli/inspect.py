from pathlib import Path

import click

from asr.cli.options import NumberList, model_option


@click.command()
@click.argument("audio", type=click.Path(path_type=Path))
@model_option
@click.option("--output", required=True, metavar="FILE", type=click.Path(path_type=Path),
              help="The picture, .png or .svg.")
@click.option("--layer", type=int, default=1, show_default=True, help="Recurrent layer.")
@click.option("--direction", type=click.Choice(["forward", "backward"]), default="forward",
              show_default=True)
@click.option("--units", metavar="LIST", type=NumberList(int),
              help="Units of the layer, e.g. 3,17. Default: two whose states vary most.")
@click.option("--text", metavar="WORDS",
              help="What is said, to be marked in place of what greedy search finds.")
def inspect(audio: Path, model: Path, output: Path, layer: int, direction: str,
            units: list[int] | None, text: str | None) -> None:
    """Draw what a model does with AUDIO (30 s at most): waveform, features, gates and states of
    some units, and the posteriors, with the units found in them.
    """
    from asr.inspect.stage import inspect_file

    inspect_file(model, audio, output, layer, direction, units, text)
