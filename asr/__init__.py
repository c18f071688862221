"""Speech recognition that one can read: features, LSTM-CTC, beam search, word error rates."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from asr.model.bundle import Bundle

__version__ = "0.1.0"

# OpenMP's threads should not keep a core busy for a millisecond after each parallel loop: the
# recurrent layers' own threads need it (asr/model/recurrent.py). Read once, when torch is loaded.
if "torch" not in sys.modules:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def load_model(path: str | Path) -> Bundle:
    """Load the model bundle in the folder `path`, see `asr.model.bundle.load_bundle`.

    Examples
    --------
    >>> import asr
    >>> from asr.decode.settings import prepare_search
    >>> from asr.transcribe.transcribe import transcribe_file
    >>> model = asr.load_model("exp/model/bundle")  # doctest: +SKIP
    >>> transcribe_file(model, "speech.wav", prepare_search(model)).text  # doctest: +SKIP
    'hello world'
    """
    from pathlib import Path

    from asr.model.bundle import load_bundle

    return load_bundle(Path(path))
