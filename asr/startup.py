"""What brings a command sooner to its first word, and to its end."""

import atexit
import gc
import sys
from functools import cache
from typing import Any

from asr.progress import log


def start_quickly() -> None:
    """Spare Python work that only others need; before the imports of what loads a model.

    A model's lexicon and numba's types are some hundred thousand objects that stay, which the
    garbage collector would go through again and again, and a last time at the end. And numba
    imports scipy and cffi, which takes it longer than all else that it does before the first
    compiled function, in case one has a product of matrices or calls C: none of ours does.
    """
    import soundfile  # noqa: F401  # does without cffi itself, or gets it here

    gc.set_threshold(100_000, 20)
    atexit.register(gc.freeze)
    for name in ("scipy", "cffi"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # `import` then says no
    tell_of_compiling()


@cache
def tell_of_compiling() -> None:
    """Say so in a line when numba begins to compile, which takes it up to 20 s.

    It does so after an installation and keeps what it made, so that it is asked for once.
    """
    from numba.core import event

    class Teller(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                log("asr: compiling inner loops, once after an installation: up to 20 s")

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Teller())
