from pathlib import Path

import click


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--search", type=click.Choice(["greedy", "beam"]), help="Default: beam.")
@click.option("--beam", type=click.IntRange(min=1), help="Prefixes kept. Default: 16.")
@click.option("--nbest", type=click.IntRange(min=1), help="Texts listed. Default: 1.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
def decode(bundle: Path, store: Path, output: Path, search: str | None, beam: int | None,
           nbest: int | None, threads: int | None) -> None:
    """Decode the features in STORE with the model in BUNDLE into OUTPUT (JSON lines)."""
    from asr.config import parse_config
    from asr.decode.config import DecodeConfig
    from asr.decode.stage import decode_store
    from asr.parallel import cores

    options = {"search": search, "beam": beam, "nbest": nbest}
    config = parse_config(DecodeConfig, {k: v for k, v in options.items() if v is not None},
                          "asr decode")
    decode_store(bundle, store, output, config, threads or cores())
