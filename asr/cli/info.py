import json
import sys
from pathlib import Path

import click

from asr.files import write_stdout


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True,
                type=click.Path(path_type=Path))
@click.option("--curves", type=click.Path(path_type=Path), metavar="FILE.png",
              help="Draw the trainings' losses and error rates over epochs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def info(paths: tuple[Path, ...], curves: Path | None, as_json: bool) -> None:
    """Say what each PATH is: a model bundle, a feature store, or a folder of `asr train`.

    Trainings, finished or not, stand side by side, with the settings in which they differ.
    """
    from asr.info.json_info import json_info
    from asr.info.read import plot_trainings, read_things
    from asr.info.text_info import text_info

    things = read_things(paths)
    if curves is not None:
        plot_trainings(curves, things)
    if as_json:
        write_stdout(json.dumps(json_info(things), indent=1, ensure_ascii=False) + "\n")
    else:
        write_stdout(text_info(things, colour=sys.stdout.isatty()))
