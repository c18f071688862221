"""Memory that is freed, kept for the next step or given back at once, and memory that is short."""

import ctypes

# malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -2, -3, -4, -8


def keep_freed_memory() -> None:
    """Ask the C library not to return freed memory to the system; does nothing where it can't.

    glibc maps every tensor above a threshold anew and has the system zero its pages each time, at
    every step; so it does with large ones in the pools that it gives to threads. Hence one pool for
    all, from which nothing is mapped: before the first thread, which would have its own.
    """
    _set((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, 256 << 20))


def return_freed_memory() -> None:
    """Keep memory small over many batches of different shapes; before the first of them.

    glibc raises the threshold from which it returns freed arrays to the system as it goes, and
    then they leave more and more holes. Does nothing where the C library is another.
    """
    _set((_MMAP_MAX, 1 << 16), (_MMAP_THRESHOLD, 1 << 20))


def out_of_memory(error: BaseException) -> bool:
    """Whether that is what an exception says; on a CPU torch raises a plain RuntimeError."""
    import torch  # here: transcribing on a processor does without

    return (isinstance(error, torch.OutOfMemoryError | MemoryError)
            or "can't allocate memory" in str(error) or "not enough memory" in str(error))


def _set(*options: tuple[int, int]) -> None:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: macOS, musl, Windows
        return
    for option, value in options:
        mallopt(option, value)
