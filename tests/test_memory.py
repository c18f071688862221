import platform
import subprocess
import sys

import pytest
import torch

from asr.memory import out_of_memory

PROGRAM = """
from asr.memory import keep_freed_memory, return_freed_memory
from threading import Thread
import numpy as np
def pages(): return int(open("/proc/self/statm").read().split()[1])
def give_back():
    x = np.ones(100 << 20, np.uint8)
    held = pages()
    del x
    print(held - pages())
{call}
give_back()
thread = Thread(target=give_back)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize(("call", "returned"), [
    ("", True), ("keep_freed_memory()", False),
    ("keep_freed_memory(); return_freed_memory()", True)])
def test_freed_memory_stays(call, returned):
    program = PROGRAM.format(call=call)
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                            check=True).stdout
    assert [int(line) > 1000 for line in output.split()] == [returned, returned]


def test_other_c_libraries_are_left_alone(monkeypatch):
    from asr import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.keep_freed_memory()
    memory.return_freed_memory()


def test_what_torch_says_when_memory_runs_out():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 50)
    assert out_of_memory(error.value)
