"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from asr.decode.settings import SearchRequest


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
    from asr.errors import AsrError

    if (lm or lstm) and no_lm:
        raise AsrError(f"{'--lm' if lm else '--lstm'} and --no-lm exclude each other")
    values: dict[str, Any] = {}
    apply_overrides(values, changes)
    given = {"search": search, "beam": beam, "nbest": nbest}
    values |= {key: value for key, value in given.items() if value is not None}
    return SearchRequest(values, lm, no_lm, lstm)
