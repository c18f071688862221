"""Cross-validation over speakers."""

from asr.errors import AsrError
from asr.features.store import Store


def speaker_folds(store: Store, count: int) -> list[tuple[Store, Store]]:
    """Pairs of stores to train and to measure on; each speaker is measured in one of them.

    The speakers, sorted by name, go to the folds in turn: names that begin alike (`f01`, `f02`,
    `m01` …) are spread evenly. Copies at other speeds, or with noise, are not measured.

    Raises
    ------
    AsrError
        There are fewer speakers than folds.
    """
    speakers = sorted({entry.speaker for entry in store.entries})
    if len(speakers) < count:
        raise AsrError(f"{store.path}: {len(speakers)} speakers cannot make {count} folds")
    fold_of = {speaker: i % count for i, speaker in enumerate(speakers)}
    folds = []
    for fold in range(count):
        inside = [i for i, entry in enumerate(store.entries) if fold_of[entry.speaker] == fold]
        outside = [i for i, entry in enumerate(store.entries) if fold_of[entry.speaker] != fold]
        natural = [i for i in inside
                   if (store.entries[i].speed, store.entries[i].copy_number) == (1, 0)]
        folds.append((store.subset(outside), store.subset(natural or inside)))
    return folds
