"""The `asr` command: one thin file per sub-command, imported only when it is called."""

import importlib
import io
import os
import sys
from typing import Any, NoReturn

import click

from asr import __version__
from asr.errors import AsrError

COMMANDS = ("prepare", "validate", "features", "lexicon", "train", "lm", "tune", "decode",
            "score", "compare", "transcribe", "listen", "align", "inspect", "export", "info")


class _LazyGroup(click.Group):
    """Imports `asr.cli.<command>` when it is asked for, so that `asr --help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"asr.cli.{cmd_name}"), cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of stdout (head, less) has left; click would say 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(141)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def asr() -> None:
    """Speech recognition: from a corpus to a word error rate, and from audio to text."""


def _fail(message: str) -> NoReturn:
    click.echo(f"asr: error: {message}", err=True)
    sys.exit(2)


def main() -> None:
    """Run the command line; see `AsrError` for what becomes of errors."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        if isinstance(stream, io.TextIOWrapper):
            # What is printed is what files have; the locale's encoding may lack some of it.
            stream.reconfigure(encoding="utf-8", errors=stream.errors)
    try:
        sys.exit(asr.main(standalone_mode=False) or 0)
    except AsrError as error:
        _fail(str(error))
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        if context and error.message == context.get_help():  # a command by itself
            error.show()
            sys.exit(error.exit_code)
        more = f" ({context.command_path} --help)" if context else ""
        _fail(" ".join(error.format_message().split()).rstrip(".") + more)
    except OSError as error:
        if error.filename is None:
            raise
        # Of a path where one may not look, which Path.exists and its like raise.
        _fail(f"{error.filename}: {error.strerror}")
    except (click.Abort, KeyboardInterrupt):
        click.echo("asr: interrupted", err=True)
        sys.exit(130)
