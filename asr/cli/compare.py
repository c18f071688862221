import json
import sys
from pathlib import Path
from typing import Any

import click

from asr.cli.options import score_reports, scoring_options
from asr.files import write_stdout


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypotheses", metavar="HYP...", nargs=-1, required=True,
                type=click.Path(path_type=Path))
@scoring_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def compare(reference: Path, hypotheses: tuple[Path, ...], as_json: bool, **how: Any) -> None:
    """Say whether recognisers differ by more than chance, on the references in REF.

    Each HYP holds one system's hypotheses; files may be of all the kinds that `asr score` reads.
    """
    from asr.score.compare import compare as compare_reports
    from asr.score.compare import json_comparison, text_comparison

    reports = score_reports(reference, hypotheses, how)
    comparisons = compare_reports(reports)
    if as_json:
        write_stdout(json.dumps(json_comparison(reports, comparisons), ensure_ascii=False) + "\n")
    else:
        write_stdout(text_comparison(reports, comparisons, colour=sys.stdout.isatty()))
