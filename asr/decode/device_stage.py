"""The search of the decode stage where the network is on a GPU: there too, if its scorer can."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from asr.decode.beam import Labelling
from asr.decode.config import DecodeConfig
from asr.decode.device_beam import device_beam_search
from asr.decode.device_scorer import DeviceScorer, device_scorer
from asr.decode.hypotheses import Search, decode_labellings
from asr.features.batch import in_batches
from asr.features.store import Store
from asr.manifest import Hypothesis
from asr.model.bundle import Bundle
from asr.model.inference import device_log_posteriors

_WIDE = 64


def scorer_on(device: str, search: Search) -> DeviceScorer | None:
    """The scorer with which to search on the network's device, if that is the place to search.

    Narrow beams are searched faster by threads; see docs/decoding.md.
    """
    config = search.config
    if config.search != "beam" or config.beam < _WIDE or config.prior_weight:
        return None
    return device_scorer(search.scorer, torch.device(device))


def decode_on_device(bundle: Bundle, store: Store, statistics: np.ndarray, indexes: Sequence[int],
                     search: Search, scorer: DeviceScorer, threads: int) -> Iterator[Hypothesis]:
    """Decode entries of a store; threads do what is left when their labellings are found."""
    batches = in_batches(store, statistics, indexes, partial(device_log_posteriors, bundle.network))
    return decode_labellings([store.entries[i].id for i in indexes],
                             search_batches(batches, search.config, scorer), bundle.units,
                             bundle.frame_shift, search, threads)


def search_batches(batches: Iterable[list[Tensor]], config: DecodeConfig, scorer: DeviceScorer
                   ) -> Iterator[tuple[np.ndarray, list[Labelling]]]:
    """Yield the log posteriors of each utterance and what beam search finds in them."""
    for batch in batches:
        found = device_beam_search(batch, config.beam, config.threshold, config.min_posterior,
                                   config.sure_blank, scorer)
        yield from zip((rows.cpu().numpy() for rows in batch), found, strict=True)
