from pathlib import Path

import click

from asr.cli.options import shard_option
from asr.shards import Shard


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of feature settings.")
@click.option("--augment", type=click.Path(path_type=Path),
              help="YAML file of the copies to make for training: speeds, noise, reverberation …")
@click.option("--speeds", metavar="LIST",
              help="Set the file's `speeds`, or do with speeds alone, e.g. 0.9,1.0,1.1.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
@shard_option
def features(manifest: Path, store: Path, overrides: tuple[str, ...], config: Path | None,
             augment: Path | None, speeds: str | None, threads: int | None,
             shard: Shard) -> None:
    """Compute the features of MANIFEST into the folder STORE.

    Settings come from --config and KEY=VALUE, e.g. `kind=mfcc deltas=2`.
    """
    from asr.augment.config import AugmentConfig
    from asr.config import load_config
    from asr.features.config import FeatureConfig
    from asr.features.stage import make_store
    from asr.parallel import cores

    copies = load_config(AugmentConfig, augment, [f"speeds=[{speeds}]"] if speeds is not None
                         else [])
    make_store(manifest, store, load_config(FeatureConfig, config, overrides), copies,
               threads or cores(), shard)
