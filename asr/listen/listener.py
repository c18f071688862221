"""Samples in blocks → texts, while somebody speaks."""

from typing import TYPE_CHECKING

import numpy as np

from asr.decode.hypotheses import Search
from asr.listen.frame_stream import FrameStream
from asr.listen.posterior_stream import PosteriorStream, check_live
from asr.listen.text_stream import SILENCE, Final, Partial, TextStream

if TYPE_CHECKING:
    from asr.model.bundle import Bundle


class Listener:
    """Recognises a stream of samples by a model that needs no more than a little of the future.

    The network goes on from utterance to utterance with what it remembers.

    Parameters
    ----------
    silence : float
        Seconds without speech after which an utterance is over.

    Raises
    ------
    AsrError
        The model must hear the whole of an utterance, see `check_live`.

    Examples
    --------
    >>> import asr
    >>> model = asr.load_model("exp/live/model/bundle")  # doctest: +SKIP
    >>> listener = Listener(model.bundle, model.search)  # doctest: +SKIP
    >>> for samples in blocks:  # doctest: +SKIP
    ...     for event in listener.push(samples):
    ...         print(event)
    """

    def __init__(self, bundle: "Bundle", search: Search, silence: float = SILENCE) -> None:
        features = bundle.config.features
        check_live(bundle.config.model, features)
        nothing = np.zeros((1, 3, features.dimension))  # the statistics do not depend on it
        self._frames = FrameStream(features)
        self._posteriors = PosteriorStream(bundle.network, bundle.statistics(nothing, [""])[0])
        self._texts = TextStream(bundle.units, bundle.frame_shift, search, silence)

    def push(self, samples: np.ndarray) -> list[Partial | Final]:
        """Take samples of any number, and tell what is new.

        Parameters
        ----------
        samples : np.ndarray, shape = (n,), float32
            Full scale ±1, at the bundle's `sample_rate`.
        """
        return self._texts.push(self._posteriors.push(self._frames.push(samples)))

    def finish(self) -> list[Partial | Final]:
        """End the stream, and tell what was waiting for more of it."""
        frames = self._frames.finish()
        rows = np.concatenate([self._posteriors.push(frames), self._posteriors.finish()])
        return [*self._texts.push(rows), *self._texts.finish()]
