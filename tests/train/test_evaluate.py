import jiwer
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dummies import TINY

from asr.config import load_config
from asr.decode.greedy import greedy_search
from asr.features.store import Store
from asr.model.inference import log_posteriors
from asr.text.units import frames_needed
from asr.train.config import TrainConfig
from asr.train.distributed import Processes
from asr.train.evaluate import DevelopmentSet, evaluate
from asr.train.stage import prepare_training


@pytest.mark.parametrize("crf", ["crf=0", "crf=0.5"])
def test_it_is_the_sum_over_the_utterances(crf, stores, tmp_path):
    """Of unequal lengths, with nothing said in one, and one that cannot be aligned."""
    config = load_config(TrainConfig, None, [*TINY, crf])
    trainer = prepare_training(tmp_path / "m", *map(Store.open, stores), config, None).trainer
    network, units, dev = trainer.network, trainer.units, trainer.development
    texts = list(dev.texts)
    texts[1], texts[2] = "", texts[2] * 20
    measured = [0, 1, 2, 4, 7, 10]
    data = DevelopmentSet(dev.store, dev.statistics, texts, measured)
    found = evaluate(network, data, units, trainer.objective, Processes())

    network.eval()
    loss, labels, hypotheses = 0.0, 0, []
    for i in measured:
        posteriors, = log_posteriors(network, [dev.store.frames(i)], dev.statistics[i:i + 1])
        target = units.encode(texts[i])
        hypotheses.append(units.decode(greedy_search(posteriors)[0]))
        if frames_needed(target) > len(posteriors):
            continue
        batch = (torch.from_numpy(posteriors)[:, None], torch.tensor(target, dtype=torch.long),
                 torch.tensor([len(posteriors)]), torch.tensor([len(target)]))
        loss += float(F.ctc_loss(*batch, reduction="sum"))
        if trainer.objective.denominator:
            loss += 0.5 * float(trainer.objective.denominator(*batch))
        labels += len(target)
    assert 0 < labels < sum(map(len, texts))
    assert len({dev.store.lengths[i] for i in measured}) > 1
    assert found.loss == pytest.approx(loss / labels, rel=1e-4)
    spoken = [texts[i] for i in measured if texts[i]]
    assert found.words == sum(len(text.split()) for text in spoken)
    assert found.cer == pytest.approx(np.divide(*np.sum(
        [errors(jiwer.process_characters(texts[i], hypothesis))
         for i, hypothesis in zip(measured, hypotheses, strict=True)], axis=0)))


def errors(result):
    wrong = result.substitutions + result.deletions + result.insertions
    return wrong, result.hits + result.substitutions + result.deletions
