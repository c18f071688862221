import pytest

from asr.config import load_config
from asr.errors import AsrError
from asr.train.config import TrainConfig


def test_a_lexicon_is_for_phones():
    for kind in ([], ["units.kind=bpe"]):
        with pytest.raises(AsrError, match=r"`units`: a lexicon .* add units\.kind=phones"):
            load_config(TrainConfig, None, ["units.lexicon=lexicon.txt", *kind])
    assert load_config(TrainConfig, None, ["units.lexicon=lexicon.txt", "units.kind=phones"])
