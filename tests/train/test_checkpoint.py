"""What becomes of a checkpoint that cannot be written, or not be read."""

import resource

import pytest
import torch

from asr.errors import AsrError
from asr.train import checkpoint
from asr.train.checkpoint import DamagedCheckpoint, load_checkpoint, save_checkpoint

STATE = {"network": {"weight": torch.arange(10_000.0)}, "epoch": 3}


@pytest.fixture
def small_disk():
    """No file may grow above 20 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_one(tmp_path, small_disk):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"epoch": 2})
    with pytest.raises(AsrError, match=r"cannot write .*checkpoint\.pt"):
        save_checkpoint(path, STATE)
    assert load_checkpoint(path)["epoch"] == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("fault", "message"), [
    (PermissionError(13, "Permission denied"), "cannot read .*: Permission denied"),
    (OSError(5, "Input/output error"), "cannot read .*: Input/output error"),
    (MemoryError(), "cannot read .*: not enough memory"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
     "cannot read .*: not enough memory")])
def test_one_that_cannot_be_read_now_is_not_damaged(fault, message, tmp_path, monkeypatch):
    def load(*_, **__):
        raise fault
    save_checkpoint(tmp_path / "checkpoint.pt", STATE)
    monkeypatch.setattr(checkpoint.torch, "load", load)
    with pytest.raises(AsrError, match=message) as caught:
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not isinstance(caught.value, DamagedCheckpoint)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("kept", [0, 4, 100, 5_000, -1])
def test_one_that_is_cut_off_is_damaged(kept, mmap, tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedCheckpoint, match="remove it to start anew"):
        load_checkpoint(path, mmap)
