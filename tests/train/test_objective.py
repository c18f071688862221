import pytest
import torch
from dummies import TINY

from asr.config import load_config
from asr.errors import Untrainable
from asr.features.store import Store
from asr.train import stage
from asr.train.config import TrainConfig
from asr.train.crf import Denominator, Trigrams
from asr.train.ctc import ctc_loss
from asr.train.objective import Objective
from asr.train.stage import prepare_training


def prepared(stores, tmp_path, *overrides):
    config = load_config(TrainConfig, None, [*TINY, *overrides])
    return prepare_training(tmp_path / "m", *map(Store.open, stores), config, None).trainer


def test_a_share_of_it_is_ctc_crf():
    potentials = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    batch = (potentials, torch.tensor([1, 2, 2]), torch.tensor([9, 5]), torch.tensor([2, 1]))
    denominator = Denominator(Trigrams.of([[1, 2], [3, 2, 1]] * 5, 4), torch.device("cpu"))
    ctc = ctc_loss(*batch)
    crf = ctc + denominator(*batch)
    assert crf > 0
    torch.testing.assert_close(Objective()(*batch), ctc)
    torch.testing.assert_close(Objective(0.3, denominator)(*batch), 0.7 * ctc + 0.3 * crf)


def test_a_training_has_the_trigrams_of_its_transcripts(stores, tmp_path):
    """Each utterance counts once, however many copies there are of it."""
    trainer = prepared(stores, tmp_path, "crf=0.25")
    texts = {entry.id: entry.text for entry in trainer.training.store.entries}
    assert len(texts) < len(trainer.training.store)
    expected = Trigrams.of([trainer.units.encode(text) for text in texts.values()],
                           len(trainer.units))
    objective = trainer.gradients.objective
    assert objective is trainer.objective
    assert objective.crf == 0.25
    assert (objective.denominator.trigrams.probability == expected.probability).all()
    assert prepared(stores, tmp_path).objective.denominator is None


def test_too_many_units_are_refused(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "_TRIGRAM_UNITS", 3)
    with pytest.raises(Untrainable, match=r"crf=0.9: tables of trigrams are for up to 3 units, and "
                                          r"there are \d+; take characters or phones, or crf=0"):
        prepared(stores, tmp_path, "crf=0.9")
