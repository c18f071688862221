"""Work on many items at once, in threads, with the order and the memory kept."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def under_torchrun() -> bool:
    """Whether torchrun started several processes: it ends all if one leaves with an error."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


def first_process() -> bool:
    """Whether this is the only process, or the one of torchrun's that writes and speaks."""
    return int(os.environ.get("RANK", 0)) == 0


def cores() -> int:
    """Number of processor cores that this process may use; of torchrun's, its share of them."""
    allowed = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
               else os.cpu_count() or 1)
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def compute_threads() -> int:
    """Threads for one matrix product: OMP_NUM_THREADS, as torch has it, or one for each core."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) else cores()


def ordered_map(function: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """`map` in threads: results come in the order of the items, a few items in flight.

    Worth it where `function` releases the GIL: audio decoding, torch, numba's nogil.
    """
    pending: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > 4 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
