from pathlib import Path

import click

from asr.files import write_stdout


@click.group()
def tune() -> None:
    """Choose settings on a development set."""


@tune.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--lm", type=click.Path(path_type=Path), metavar="FILE",
              help="Language model (*.lm, or ARPA). Default: the bundle's own.")
@click.option("--lstm", type=click.Path(path_type=Path), metavar="FILE",
              help="LSTM language model to rescore with. Default: the bundle's own, if any.")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR",
              help="For study.db and surface.png. Default: tune, beside BUNDLE.")
@click.option("--trials", type=click.IntRange(min=1), default=60, show_default=True,
              help="Of weights; a study that has some goes on from there. Half as many follow in "
                   "the search that is chosen.")
@click.option("--utterances", type=click.IntRange(min=0), default=500, show_default=True,
              help="Evenly spread over STORE; 0 is all.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
def decode(bundle: Path, store: Path, lm: Path | None, lstm: Path | None,
           output: Path | None, trials: int, utterances: int, threads: int | None) -> None:
    """Find weights, width and pruning of the beam search with a language model.

    STORE holds the features of a development set. What is best there is written into BUNDLE, with
    the language model: the defaults of asr decode and asr transcribe. Needs optuna.
    """
    from asr.decode.tune import tune_decoding
    from asr.parallel import cores

    tune_decoding(bundle, store, lm, lstm, output or bundle.parent / "tune", trials, utterances,
                  threads or cores())


@tune.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--train", "training", type=click.Path(path_type=Path), required=True,
              help="Feature store to learn from.")
@click.option("--dev", "development", type=click.Path(path_type=Path),
              help="Feature store to measure on; left out where the search has folds.")
@click.option("--config", type=click.Path(path_type=Path),
              help="YAML file of training settings that are not looked for.")
@click.option("--init", "initial", type=click.Path(path_type=Path), metavar="BUNDLE",
              help="Start every trial from this model's weights instead of random ones.")
@click.option("--search", type=click.Path(path_type=Path), required=True,
              help="YAML file: which settings to look for, where and how.")
@click.option("--trials", type=click.IntRange(min=1),
              help="Over all processes and calls. Default: 30; of a grid all.")
def train(folder: Path, overrides: tuple[str, ...], training: Path, development: Path | None,
          config: Path | None, initial: Path | None, search: Path, trials: int | None) -> None:
    """Find the training settings with the lowest word error rate.

    Every trial is a training in FOLDER; FOLDER/best.yaml is the best configuration, for asr train
    --config. The same command goes on after an interruption, and several of it at a time share
    the trials. docs/training.md says what to look for. Needs optuna.
    """
    from asr.config import load_config
    from asr.train.config import TrainConfig
    from asr.tune.config import SearchConfig
    from asr.tune.train import tune_training

    write_stdout(tune_training(folder, training, development,
                               load_config(TrainConfig, config, overrides),
                               load_config(SearchConfig, search), trials, initial))
