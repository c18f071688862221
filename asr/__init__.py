"""Speech recognition that one can read: features, LSTM-CTC, beam search, word error rates."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from asr.transcribe.recogniser import Recogniser

__version__ = "0.1.0"

# OpenMP's threads should not keep a core busy for a millisecond after each parallel loop: the
# recurrent layers' own threads need it (asr/model/recurrent.py). Read once, when torch is loaded.
if "torch" not in sys.modules:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def load_model(path: str | Path | None = None, **settings: Any) -> Recogniser:
    """Load a model bundle that is ready to transcribe.

    Parameters
    ----------
    path : str or Path, optional
        The bundle's folder; by default the English model that comes with the package.
    **settings
        Fields of `asr.decode.config.DecodeConfig` in place of the bundle's own, e.g.
        `search="greedy"`, `beam=32`, `nbest=5`, `hotwords={"quilter": 5.0}`.

    Raises
    ------
    AsrError
        No bundle is there, it cannot be used, or a setting is none.

    Examples
    --------
    >>> import asr
    >>> model = asr.load_model()
    >>> transcript = model.transcribe("tests/speech/5694-64029-0001.opus")
    >>> print(transcript.text)  # doctest: +ELLIPSIS
    the federal army ...
    >>> [(word.text, word.start, word.end, word.confidence)
    ...  for word in transcript.words]  # doctest: +ELLIPSIS
    [('the', ...
    """
    from pathlib import Path

    from asr.decode.settings import SearchRequest, prepare_search
    from asr.model.bundle import load_bundle, packaged_bundle
    from asr.transcribe.recogniser import Recogniser

    bundle = load_bundle(packaged_bundle() if path is None else Path(path))
    return Recogniser(bundle, prepare_search(bundle, SearchRequest(settings)))
