"""SIGINT and SIGTERM as something that a loop looks at when it can stop."""

import signal
from types import FrameType


class StopSignals:
    """Within `with`, the first SIGINT or SIGTERM is noted; a second one does not wait.

    Of two such blocks, one within the other, both note it.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        """Number of the signal that came, if one did."""

    def __enter__(self) -> "StopSignals":
        self._before = {number: signal.signal(number, self._note)
                        for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
            outer = getattr(handler, "__self__", None)
            if number == self.caught and isinstance(outer, StopSignals):
                outer.caught = number

    def _note(self, number: int, _: FrameType | None) -> None:
        self.caught = number
        signal.signal(number, signal.SIG_DFL)
