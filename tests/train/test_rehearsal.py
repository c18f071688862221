import re

import pytest
from dummies import TINY

from asr.config import load_config
from asr.features.store import Store
from asr.train.config import TrainConfig
from asr.train.rehearsal import rehearse
from asr.train.stage import prepare_training


@pytest.fixture
def trainer(stores, tmp_path):
    return prepare_training(tmp_path / "m", *map(Store.open, stores),
                            load_config(TrainConfig, None, [*TINY]), None).trainer


def numbers(text, name):
    line = next(line for line in text.splitlines() if line.startswith(name))
    return [float(number.replace(",", "")) for number in re.findall(r"[\d,.]+\d|\d", line)]


def test_it_tells_what_the_plan_holds(trainer, tmp_path):
    before = {name: t.clone() for name, t in trainer.network.state_dict().items()}
    text = rehearse(trainer)
    plan, lengths = trainer.plan(), trainer.training.lengths
    assert numbers(text, "batches an epoch") == [len(plan)]
    sizes = sorted(len(batch) for batch in plan)
    assert numbers(text, "utterances each")[:2] == [sizes[0], sizes[-1]]
    padded = [len(batch) * max(lengths[batch]) for batch in plan]
    assert numbers(text, "frames, padded")[:2] == [min(padded), max(padded)]
    share = 1 - sum(lengths[batch].sum() for batch in plan) / sum(padded)
    assert numbers(text, "padding") == [pytest.approx(100 * share, abs=0.06)]
    assert max(padded) <= trainer.max_frames
    assert numbers(text, "largest batch")[1] == max(lengths)
    assert 0.05 < numbers(text, "peak memory")[0] < 20
    assert not (tmp_path / "m").exists()
    for name, tensor in trainer.network.state_dict().items():
        assert tensor.equal(before[name])
