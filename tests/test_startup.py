"""asr.startup: what comes before a command's first word."""

import subprocess
import sys

PROGRAM = """
from numba import njit
from asr.startup import tell_of_compiling

for _ in range(2):
    tell_of_compiling()

    @njit
    def one_more(x):
        return x + 1

    assert one_more(1) == 2 and one_more(1.5) == 2.5
"""


def test_compiling_is_told_of_once():
    """In a process of its own: in this one it may have been told of already."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                          check=True)
    assert done.stderr.count("compiling inner loops, once") == 1
