from pathlib import Path

import click

from asr.cli.options import shard_option
from asr.shards import Shard


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of feature settings.")
@click.option("--speeds", default="1.0", show_default=True, metavar="LIST",
              help="Speeds of the copies to make, e.g. 0.9,1.0,1.1 for training.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
@shard_option
def features(manifest: Path, store: Path, overrides: tuple[str, ...], config: Path | None,
             speeds: str, threads: int | None, shard: Shard) -> None:
    """Compute the features of MANIFEST into the folder STORE.

    Settings come from --config and KEY=VALUE, e.g. `kind=mfcc deltas=2`.
    """
    from asr.config import load_config
    from asr.features.config import FeatureConfig
    from asr.features.stage import make_store
    from asr.parallel import cores

    try:
        factors = [float(speed) for speed in speeds.split(",")]
        if not all(0.25 <= factor <= 4 for factor in factors):
            raise ValueError
    except ValueError:
        raise click.BadParameter(f"{speeds!r} is not a list of numbers from 0.25 to 4",
                                 param_hint="--speeds") from None
    make_store(manifest, store, load_config(FeatureConfig, config, overrides), factors,
               threads or cores(), shard)
