import sys
from pathlib import Path
from typing import Any

import click

from asr.cli.options import score_reports, scoring_options
from asr.errors import AsrError
from asr.files import write_stdout


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@scoring_options
@click.option("--by", metavar="KEY,...", default="",
              help="Also by speaker, length, duration, rate, or a key of the manifest.")
@click.option("--lm", metavar="FILE", type=click.Path(path_type=Path),
              help="Tell errors at words that this language model lacks.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
              help="Write report.txt, .md, .html and .json, ref.trn and hyp.trn there.")
@click.option("--model", metavar="BUNDLE", type=click.Path(path_type=Path),
              help="Show this model's posteriors in report.html, of the worst utterances.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def score(reference: Path, hypothesis: Path, by: str, lm: Path | None, output: Path | None,
          model: Path | None, as_json: bool, **how: Any) -> None:
    """Compare the hypotheses in HYP with the references in REF: word error rate and more.

    Each is a manifest or hypotheses (.jsonl), .trn, Kaldi's `text`, .ctm, .stm, .csv, .tsv, or
    .txt line by line; their kinds may differ. Utterance ids must match one to one.
    """
    from asr.score.json_report import json_report
    from asr.score.stage import write_report
    from asr.score.text_report import text_report

    if model is not None and output is None:
        raise AsrError("--model shows posteriors in report.html; give --output DIR as well")
    report, = score_reports(reference, [hypothesis], how,
                            by=[key for key in by.split(",") if key], lm=lm)
    if output is not None:
        write_report(report, output, model)
    if as_json:
        write_stdout(json_report(report))
    else:
        write_stdout(text_report(report, colour=sys.stdout.isatty()))
