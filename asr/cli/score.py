import sys
from pathlib import Path
from typing import Literal

import click

from asr.text.normalise import NORMALISERS


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@click.option("--normaliser", type=click.Choice(list(NORMALISERS)), default="none",
              show_default=True, help="Applied to both sides before they are compared.")
@click.option("--substitutions", metavar="FILE", type=click.Path(path_type=Path),
              help="Lines `words => other words`, applied after the normaliser.")
@click.option("--missing", type=click.Choice(["error", "deletions"]), default="error",
              show_default=True, help="What a reference without hypothesis is.")
@click.option("--sclite", is_flag=True,
              help="Align as sclite does (4, 3, 3 for sub, del, ins) instead of as jiwer.")
@click.option("--by", metavar="KEY,...", default="",
              help="Also by speaker, length, duration, rate, or a key of the manifest.")
@click.option("--lm", metavar="FILE", type=click.Path(path_type=Path),
              help="Tell errors at words that this language model lacks.")
@click.option("--ref-format", metavar="NAME",
              help="jsonl, trn, kaldi, ctm, stm, csv, tsv or lines; default: by the file's name.")
@click.option("--hyp-format", metavar="NAME", help="The same of HYP.")
@click.option("--ref-columns", metavar="ID,TEXT", default="id,text", show_default=True,
              help="Names in tables and .jsonl.")
@click.option("--hyp-columns", metavar="ID,TEXT", default="id,text", show_default=True,
              help="The same of HYP.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Write report.txt, report.json, ref.trn and hyp.trn there.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def score(reference: Path, hypothesis: Path, normaliser: str, substitutions: Path | None,
          missing: Literal["error", "deletions"], sclite: bool, by: str, lm: Path | None,
          ref_format: str | None, hyp_format: str | None, ref_columns: str, hyp_columns: str,
          output: Path | None, as_json: bool) -> None:
    """Compare the hypotheses in HYP with the references in REF: word error rate and more.

    Each is a manifest or hypotheses (.jsonl), .trn, Kaldi's `text`, .ctm, .stm, .csv, .tsv, or
    .txt line by line; their kinds may differ. Utterance ids must match one to one.
    """
    from asr.score.json_report import json_report
    from asr.score.read import Source
    from asr.score.stage import score_files, write_report
    from asr.score.text_report import text_report

    report, = score_files(
        Source(reference, ref_format, _columns(ref_columns)),
        [Source(hypothesis, hyp_format, _columns(hyp_columns))], normaliser=normaliser,
        substitutions=substitutions, missing=missing, alignment="sclite" if sclite else "unit",
        by=[key for key in by.split(",") if key], lm=lm)
    if output is not None:
        write_report(report, output)
    if as_json:
        sys.stdout.writelines(json_report(report))
    else:
        click.echo(text_report(report, colour=sys.stdout.isatty()), nl=False)


def _columns(names: str) -> tuple[str, str]:
    parts = names.split(",")
    if len(parts) != 2 or not all(parts):
        raise click.BadParameter(f"expected two names, ID,TEXT; found {names!r}")
    return parts[0], parts[1]
