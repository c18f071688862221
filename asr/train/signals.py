"""SIGINT and SIGTERM as something that a loop looks at when it can stop."""

import signal
from types import FrameType

from asr.parallel import under_torchrun


class StopSignals:
    """Within `with`, the first SIGINT or SIGTERM is noted; a second one does not wait.

    Under torchrun it does, too: torchrun passes on what a terminal or a job's end has sent to all
    processes already, and ends those that take too long.

    Of two such blocks, one within the other, both note it, whichever of them it met.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        """Number of the signal that came, if one did."""

    def __enter__(self) -> "StopSignals":
        self._before = {number: signal.signal(number, self._note)
                        for number in (signal.SIGINT, signal.SIGTERM)}
        outer = {getattr(handler, "__self__", None) for handler in self._before.values()}
        self._outer = next((each for each in outer if isinstance(each, StopSignals)), None)
        if self._outer is not None:
            self.caught = self._outer.caught
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._outer is not None:
            self._outer.caught = self.caught

    def _note(self, number: int, _: FrameType | None) -> None:
        self.caught = number
        if not under_torchrun():
            signal.signal(number, signal.SIG_DFL)
