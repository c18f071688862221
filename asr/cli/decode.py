from pathlib import Path
from typing import Any

import click

from asr.cli.options import search_options, search_request, shard_option
from asr.shards import Shard


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@search_options
@click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
@shard_option
def decode(bundle: Path, store: Path, output: Path, threads: int | None, shard: Shard,
           **search: Any) -> None:
    """Decode the features in STORE with the model in BUNDLE into OUTPUT (JSON lines)."""
    from asr.decode.stage import decode_store
    from asr.parallel import cores

    decode_store(bundle, store, output, search_request(**search), threads or cores(), shard)
