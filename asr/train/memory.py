"""Memory that one step frees, kept for the next."""

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def keep_freed_memory() -> None:
    """Ask the C library not to return freed memory to the system; does nothing where it can't.

    glibc maps every tensor above a threshold anew and has the system zero its pages each time, at
    every step. 32 MiB is the highest threshold it accepts.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: macOS, musl, Windows
        return
    mallopt(_MMAP_THRESHOLD, 32 << 20)
    mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(_TOP_PAD, 256 << 20)
