from pathlib import Path
from typing import Any

import click

from asr.cli.options import model_option, search_options, search_request, shard_option
from asr.parallel import under_torchrun
from asr.shards import Shard
from asr.startup import start_quickly


@click.command()
@click.argument("audio", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_option
@click.option("--format", "formats", multiple=True, default=["text"], show_default=True,
              metavar="LIST",
              help="text, json, srt, vtt, ctm, tsv, textgrid: one, or several by commas.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Write DIR/<name>.<extension> for each recording and format, with a folder's "
                   "sub-folders; what is finished there is left, unless model, settings or audio "
                   "have changed: then it is replaced, corrected by hand or not. Default: stdout, "
                   "where the text of several has `path: ` before each line.")
@search_options
@shard_option
@click.pass_context
def transcribe(context: click.Context, audio: tuple[Path, ...], model: Path,
               formats: tuple[str, ...], output: Path | None, shard: Shard,
               **search: Any) -> None:
    """Write down what is said in AUDIO: files that libsndfile reads, folders of them, manifests
    (.jsonl), or - for a file on standard input.

    A file that cannot be read gets a line on stderr and the others are done; the exit code is 1
    then (0 under torchrun, which would end the other processes), and 2 if none could be read.
    """
    start_quickly()
    from asr.transcribe.stage import transcribe_files
    from asr.transcribe.writers import FORMATS, parse_formats

    failed = transcribe_files(model, audio, parse_formats(formats, FORMATS), output,
                              search_request(**search), shard)
    if failed and not under_torchrun():
        context.exit(1)
