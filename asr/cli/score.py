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
@click.option("--missing", type=click.Choice(["error", "deletions"]), default="error",
              show_default=True, help="What a reference without hypothesis is.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Write report.txt, report.json, ref.trn and hyp.trn there.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def score(reference: Path, hypothesis: Path, normaliser: str,
          missing: Literal["error", "deletions"], output: Path | None, as_json: bool) -> None:
    """Compare the hypotheses in HYP with the references in REF: word error rate and more.

    REF is a manifest (.jsonl) or a .trn file, HYP hypotheses (.jsonl) or a .trn file. Their
    utterance ids must match one to one.
    """
    from asr.score.report import json_report, text_report
    from asr.score.stage import score_files

    report = score_files(reference, hypothesis, normaliser, missing, output)
    click.echo(json_report(report) if as_json
               else text_report(report, colour=sys.stdout.isatty()), nl=as_json)
