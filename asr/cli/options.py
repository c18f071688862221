"""Options that several commands have."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.errors import AsrError
from asr.shards import this_shard
from asr.text.normalise import NORMALISERS

if TYPE_CHECKING:
    from asr.decode.settings import SearchRequest
    from asr.score.report import Report


class FiniteRange(click.FloatRange):
    """Numbers in a range; `nan` and `inf`, which click lets through, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class NumberList(click.ParamType):
    """Numbers of one kind, by commas."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return [self.kind(part) for part in value.split(",")]
        except ValueError:
            option = param.opts[0] if param else "this"
            self.fail(f"{value!r} is no list of numbers: {option} takes numbers by commas", param,
                      ctx)


shard_option = click.option(
    "--shard", metavar="I/N", callback=lambda context, option, value: this_shard(value),
    help="Do part I of N of the work (docs/scaling.md). Under torchrun each process has a part.")


def _model(_: click.Context, __: click.Parameter, path: Path | None) -> Path:
    if path is not None:
        return path
    from asr.model.bundle import packaged_bundle

    return packaged_bundle()


model_option = click.option(
    "--model", metavar="BUNDLE", type=click.Path(path_type=Path), callback=_model,
    help="Folder of a trained model.  [default: the English one that comes with the package]")


def search_options(command: Callable) -> Callable:
    """How to search; `search_request` reads them."""
    for option in reversed([
        click.option("--search", type=click.Choice(["greedy", "beam"]),
                     help="Default of this and what follows: the model's own settings."),
        click.option("--beam", type=click.IntRange(min=1), help="Prefixes kept."),
        click.option("--nbest", type=click.IntRange(min=1), help="Texts listed."),
        click.option("--lm", type=click.Path(path_type=Path), metavar="FILE",
                     help="Language model (*.lm, or ARPA) in place of the model's own."),
        click.option("--lstm", type=click.Path(path_type=Path), metavar="FILE",
                     help="LSTM language model, to rescore with, in place of the model's own."),
        click.option("--no-lm", is_flag=True, help="No language model, not even the model's own."),
        click.option("--set", "changes", multiple=True, metavar="KEY=VALUE",
                     help="Any other setting, e.g. lm_weight=1.5 (docs/decoding.md)."),
    ]):
        command = option(command)
    return command


def search_request(search: str | None, beam: int | None, nbest: int | None, lm: Path | None,
                   lstm: Path | None, no_lm: bool, changes: tuple[str, ...]) -> "SearchRequest":
    """What was asked for by `search_options`."""
    from asr.config import apply_overrides
    from asr.decode.settings import SearchRequest

    if (lm or lstm) and no_lm:
        raise AsrError(f"{'--lm' if lm else '--lstm'} and --no-lm exclude each other")
    values: dict[str, Any] = {}
    apply_overrides(values, changes)
    given = {"search": search, "beam": beam, "nbest": nbest}
    values |= {key: value for key, value in given.items() if value is not None}
    return SearchRequest(values, lm, no_lm, lstm)


def scoring_options(command: Callable) -> Callable:
    """How hypotheses are compared with references; `score_reports` takes them."""
    for option in reversed([
        click.option("--normaliser", type=click.Choice(list(NORMALISERS)), default="none",
                     show_default=True, help="Applied to both sides before they are compared."),
        click.option("--substitutions", metavar="FILE", type=click.Path(path_type=Path),
                     help="Lines `words => other words`, applied after the normaliser."),
        click.option("--missing", type=click.Choice(["error", "deletions"]), default="error",
                     show_default=True, help="What a reference without hypothesis is."),
        click.option("--sclite", is_flag=True,
                     help="Align as sclite does (4, 3, 3 for sub, del, ins) instead of as jiwer."),
        click.option("--ref-format", metavar="NAME",
                     help="jsonl, trn, kaldi, ctm, stm, csv, tsv, lines; default: by its name."),
        click.option("--hyp-format", metavar="NAME", help="The same of HYP."),
        click.option("--ref-columns", metavar="ID,TEXT", default="id,text", show_default=True,
                     help="Names in tables and .jsonl."),
        click.option("--hyp-columns", metavar="ID,TEXT", default="id,text", show_default=True,
                     help="The same of HYP."),
    ]):
        command = option(command)
    return command


def score_reports(reference: Path, hypotheses: Sequence[Path], how: dict[str, Any],
                  by: Sequence[str] = (), lm: Path | None = None) -> "list[Report]":
    """Score files as the values `how` of `scoring_options` say."""
    from asr.score.read import Source
    from asr.score.stage import score_files

    return score_files(
        Source(reference, how["ref_format"], _columns(how["ref_columns"])),
        [Source(path, how["hyp_format"], _columns(how["hyp_columns"])) for path in hypotheses],
        normaliser=how["normaliser"], substitutions=how["substitutions"], missing=how["missing"],
        alignment="sclite" if how["sclite"] else "unit", by=by, lm=lm)


def _columns(names: str) -> tuple[str, str]:
    parts = names.split(",")
    if len(parts) != 2 or not all(parts):
        raise AsrError(f"expected the names of two columns, ID,TEXT; found {names!r}")
    return parts[0], parts[1]
