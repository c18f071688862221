"""What brings a command sooner to its first word, and to its end."""

import atexit
import gc
import sys


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
