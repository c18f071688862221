"""What a process takes of the machine."""

import pytest
import torch

from asr.errors import AsrError
from asr.train.distributed import Processes


@pytest.fixture
def two_gpus(monkeypatch):
    """As far as is asked before anything is computed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    allowed = torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32 = allowed


def test_each_process_has_a_gpu_on_which_float32_is_float32(two_gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Processes().device == torch.device("cuda", 1)
    assert not torch.backends.cudnn.allow_tf32


def test_more_processes_than_gpus(two_gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(AsrError, match=r"process 3 .* there are 2; .* --nproc-per-node 2"):
        Processes()
