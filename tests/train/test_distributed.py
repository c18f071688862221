"""What a process takes of the machine, and what several do together."""

import os
import subprocess
import sys

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


TOGETHER = """
import torch
from asr.errors import AsrError
from asr.train.distributed import Processes

processes = Processes()
weights = torch.full((3,), 1.0 + processes.rank)
processes.share([weights])
assert weights.tolist() == [1, 1, 1]
processes.check_same({"data": "a", "position": [1, 0]})
try:
    processes.check_same({"data": "a", "position": [1, processes.rank], "seed": processes.rank})
except AsrError as error:
    print(error)
processes.close()
"""


@pytest.mark.slow
def test_processes_begin_alike_or_not_at_all(tmp_path):
    """Weights that another machine has drawn otherwise are those of the first."""
    (tmp_path / "together.py").write_text(TOGETHER)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(tmp_path / "together.py")],
        capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("process 1 and process 0 differ in position, seed; give all of them "
                             "the same files and settings") == 2
