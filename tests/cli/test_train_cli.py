"""asr train: what goes to stdout."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from asr.cli import asr
from asr.train import stage


@pytest.mark.parametrize(("more", "said"), [([], "m/bundle\n"), (["--dry-run"], "batches 3\n")])
@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_process_speaks(more, said, rank, monkeypatch):
    monkeypatch.setattr(stage, "train_model", lambda folder, *_: folder / "bundle")
    monkeypatch.setattr(stage, "rehearse_training", lambda *_: "batches 3\n")
    monkeypatch.setenv("RANK", rank)
    result = CliRunner().invoke(asr, ["train", str(Path("m")), "--train", "t", "--dev", "d", *more])
    assert (result.exit_code, result.stdout) == (0, said if rank == "0" else "")
