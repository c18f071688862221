import numpy as np
import pytest
from dummies import FEATURES, TINY, WORDS, speak

from asr.config import load_config
from asr.decode.config import DecodeConfig
from asr.decode.hypotheses import Search
from asr.errors import AsrError
from asr.features.store import Entry, write_store
from asr.listen.listener import Listener
from asr.listen.posterior_stream import PosteriorStream
from asr.listen.text_stream import Final, TextStream
from asr.model.bundle import load_bundle
from asr.score.align import score_utterances
from asr.train.config import TrainConfig
from asr.train.stage import train_model

GREEDY, BEAM = Search(DecodeConfig(search="greedy")), Search(DecodeConfig())


def finals(events):
    return [event for event in events if isinstance(event, Final)]


@pytest.mark.parametrize("search", [GREEDY, BEAM])
@pytest.mark.parametrize("block", [211, 800, 5_000, 96_000])
def test_blocks_of_any_size_give_what_the_whole_recording_gives(live_babbler, babble, search,
                                                                 block):
    bundle = load_bundle(live_babbler)
    offline = TextStream(bundle.units, bundle.frame_shift, search, silence=0.3)
    [rows] = bundle.log_posteriors_of_audio([babble])
    expected = finals([*offline.push(rows), *offline.finish()])
    assert len(expected) > 3
    listener = Listener(bundle, search, silence=0.3)
    events = [event for first in range(0, len(babble), block)
              for event in listener.push(babble[first:first + block])]
    found = finals([*events, *listener.finish()])
    for one, other in zip(found, expected, strict=True):
        assert one.text == other.text
        for a, b in zip(one.words, other.words, strict=True):
            assert (a.start, a.end) == (b.start, b.end)
            assert a.confidence == pytest.approx(b.confidence, abs=1e-4)


def test_nothing_says_nothing(live_babbler):
    listener = Listener(load_bundle(live_babbler), BEAM)
    assert listener.push(np.zeros(0, np.float32)) == []
    assert listener.push(np.zeros(10, np.float32)) == []
    assert listener.finish() == []


def test_a_bidirectional_model_is_refused(babbler):
    with pytest.raises(AsrError, match="both ends"):
        Listener(load_bundle(babbler), GREEDY)


def with_pauses(text, random):
    """Frames of the colour that is between words, a text's, and again."""
    before, after = (np.repeat(speak("", random), 4, axis=0)[:random.integers(10, 50)]
                     for _ in range(2))
    return np.concatenate([before, speak(text, random), after])


@pytest.mark.slow
def test_a_model_that_has_learnt_is_right_about_words(tmp_path):
    stores = []
    for name, count in (("train", 60), ("dev", 10)):
        random = np.random.default_rng(count)
        texts = [" ".join(random.choice(WORDS, random.integers(1, 4))) for _ in range(count)]
        stores.append(tmp_path / name)
        write_store(stores[-1], FEATURES.model_copy(update={"cmvn": "global"}), [
            (Entry(id=f"{name}-{i}", text=text, speaker="s"), with_pauses(text, random))
            for i, text in enumerate(texts)])
    config = load_config(TrainConfig, None, [
        *TINY, "epochs=5", "model.bidirectional=false", "model.front_end=stack", "model.units=48",
        "model.dropout=0", "spec_augment.frequency_masks=0", "spec_augment.time_masks=0"])
    bundle = load_bundle(train_model(tmp_path / "model", *stores, config, resume=False))

    network = PosteriorStream(bundle.network, bundle.training_statistics)
    texts = TextStream(bundle.units, bundle.frame_shift, BEAM, silence=0.4)
    said = ["one two", "six", "four five ten", "three"]
    random = np.random.default_rng(3)
    stream = np.concatenate([with_pauses(text, random) for text in said])
    events = [event for block in np.array_split(stream, len(stream) // 10)
              for event in texts.push(network.push(block))]
    events += [*texts.push(network.finish()), *texts.finish()]
    heard = " ".join(event.text for event in finals(events))
    assert score_utterances([("u", " ".join(said), heard)]).words.errors.sum() <= 1
    assert len(finals(events)) == len(said)
