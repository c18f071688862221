from pathlib import Path

import click

from asr.files import file_name, write_stdout
from asr.parallel import first_process


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--train", "training", type=click.Path(path_type=Path), required=True,
              help="Feature store to learn from.")
@click.option("--dev", "development", type=click.Path(path_type=Path), required=True,
              help="Feature store to measure on after every epoch.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of training settings.")
@click.option("--resume", is_flag=True,
              help="Go on from FOLDER's checkpoint; start if there is none.")
@click.option("--init", "initial", metavar="BUNDLE", type=click.Path(path_type=Path),
              help="Start from this model's weights instead of random ones.")
@click.option("--dry-run", is_flag=True,
              help="Tell batch shapes, memory and time from a few steps, and write nothing.")
def train(folder: Path, overrides: tuple[str, ...], training: Path, development: Path,
          config: Path | None, resume: bool, initial: Path | None, dry_run: bool) -> None:
    """Train a network in FOLDER; the finished model is FOLDER/bundle.

    Settings come from --config and KEY=VALUE, e.g. `epochs=20 model.layers=4`. Under torchrun
    (`torchrun --nproc-per-node 2 -m asr train …`) several processes or GPUs share the work.
    """
    from asr.config import load_config
    from asr.train.config import TrainConfig

    settings = load_config(TrainConfig, config, overrides)  # before torch takes its time
    from asr.train.stage import rehearse_training, train_model

    if dry_run:
        said = rehearse_training(training, development, settings, initial)
    else:
        bundle = train_model(folder, training, development, settings, resume, initial)
        said = f"{file_name(bundle)}\n"
    if first_process():
        write_stdout(said)
