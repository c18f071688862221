from pathlib import Path

import click

from asr.cli.options import model_option


@click.command()
@click.argument("source", metavar="AUDIO|MANIFEST", type=click.Path(path_type=Path))
@click.argument("transcript", metavar="[TRANSCRIPT]", required=False,
                type=click.Path(path_type=Path))
@model_option
@click.option("--text", metavar="WORDS", help="The transcript itself, in place of a file.")
@click.option("--format", "formats", multiple=True, default=["ctm"], show_default=True,
              metavar="LIST", help="ctm, textgrid, json: one, or several by commas.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Write DIR/<name>.<extension> for each utterance and format, also in place of a "
                   "file that is there. Default: stdout.")
@click.option("--allow-unknown", is_flag=True,
              help="Words that the model's units cannot spell stand for any sounds.")
@click.pass_context
def align(context: click.Context, source: Path, transcript: Path | None, model: Path,
          text: str | None, formats: tuple[str, ...], output: Path | None,
          allow_unknown: bool) -> None:
    """Find when each word of a known transcript is said: of AUDIO with the text file TRANSCRIPT or
    with --text, or of each utterance of a MANIFEST (.jsonl).

    What cannot be aligned gets a line on stderr and the rest is done; the exit code is 1 then.
    Where text and audio do not seem to belong together, a line says so.
    """
    from asr.align.stage import align_files, spoken_in
    from asr.align.writers import FORMATS
    from asr.transcribe.writers import parse_formats

    if align_files(model, spoken_in(source, transcript, text), parse_formats(formats, FORMATS),
                   output, allow_unknown):
        context.exit(1)
