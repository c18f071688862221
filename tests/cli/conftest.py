import sys

import pytest

from asr.cli import main


@pytest.fixture
def command_line(monkeypatch):
    """The whole command line in this process; its exit code."""
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["asr", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code
    return call
