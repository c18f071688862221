"""Locks that the system takes back from a process that ends, however it ends."""

from pathlib import Path
from typing import IO


def lock(path: Path, wait: bool = True) -> IO[bytes]:
    """Lock a file, made if need be, until what is returned is closed.

    On Windows nobody is kept out.

    Raises
    ------
    BlockingIOError
        Another has it, and `wait` is false.
    OSError
        It cannot be written, or the file system has no locks.
    """
    file = path.open("ab")
    try:
        import fcntl
    except ModuleNotFoundError:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        file.close()
        raise
    return file
