from pathlib import Path
from typing import Any

import click

from asr.cli.options import FiniteRange, search_options, search_request


def _speed(_: click.Context, __: click.Parameter, speed: float) -> float:
    if 0 < speed < 0.01:
        raise click.BadParameter(f"{speed} is neither 0 nor 0.01 or more.")
    return speed


@click.command()
@click.argument("audio", required=False, type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="BUNDLE", type=click.Path(path_type=Path),
              help="Folder of a one-directional model (docs/listening.md).")
@click.option("--speed", type=FiniteRange(min=0), default=1.0, show_default=True,
              callback=_speed, help="Of AUDIO: 1 is real time, 0 as fast as possible.")
@click.option("--silence", metavar="SECONDS", type=FiniteRange(min=0, min_open=True),
              default=0.8, show_default=True, help="Without speech, after which a text is final.")
@search_options
@click.pass_context
def listen(context: click.Context, audio: Path | None, model: Path, speed: float, silence: float,
           **search: Any) -> None:
    """Write down what is said into the microphone, or in the file AUDIO, while it is said.

    Final texts have their start and end in seconds in front. Ctrl-C ends it; latencies go to
    stderr.
    """
    from asr.listen.stage import listen_to

    caught = listen_to(model, audio, search_request(**search), speed, silence)
    if caught and audio is not None:
        context.exit(128 + caught)
