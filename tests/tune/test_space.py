"""What may be looked for, what is refused, and that a grid has every combination once."""

import itertools

import pytest
import yaml

from asr.config import load_config, parse_config
from asr.errors import AsrError, Untrainable
from asr.train.config import TrainConfig
from asr.tune.config import SearchConfig
from asr.tune.space import Space


def search(text):
    return parse_config(SearchConfig, yaml.safe_load(text), "search.yaml")


def space(keys, *overrides, sampler="tpe"):
    return Space.of(load_config(TrainConfig, None, overrides),
                    SearchConfig(sampler=sampler, keys=keys))


@pytest.mark.parametrize(("text", "message"), [
    ("keys: {}", "keys"),
    ("sampler: random\nkeys: {seed: {low: 1, high: 2}}", "sampler"),
    ("folds: 1\nkeys: {seed: {low: 1, high: 2}}", "folds must be at least 2"),
    ("keys: {seed: {lo: 1, high: 2}}", "did you mean `keys.seed.low`"),
    ("keys: {seed: {low: 2, high: 2}}", r"`keys.seed`: empty range: low \(2\)"),
    ("keys: {seed: {low: 1}}", "needs low and high, or choices"),
    ("keys: {seed: {low: 1, choices: [1, 2]}}", "either choices, or low and high"),
    ("keys: {seed: {choices: [1, 2, 1]}}", "must differ"),
    ("keys: {learning_rate: {low: 0, high: 1, log: true}}", "log needs a low above 0"),
    ("keys: {learning_rate: {low: 1, high: 2, log: true, step: 1}}", "and no step"),
    ("keys: {seed: {low: 1, high: 2, step: 3}}", r"step \(3\) must not be more"),
])
def test_a_search_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(AsrError, match=message):
        search(text)


@pytest.mark.parametrize(("keys", "message"), [
    ({"model.lairs": {"low": 1, "high": 2}}, "did you mean `model.layers`"),
    ({"learning_rat": {"low": 1, "high": 2}}, "did you mean `learning_rate`"),
    ({"model": {"low": 1, "high": 2}}, "`model`"),
    ({"seed.x": {"low": 1, "high": 2}}, "`seed`"),
    ({"model.layers": {"low": 1, "high": 2.5}}, r"`model\.layers`.*integer"),
    ({"model.layers": {"low": 1, "high": 4, "step": 1.5}}, "whole numbers"),
    ({"model.dropout": {"low": 0, "high": 1}}, r"`model\.dropout`.*less than or equal to 0\.99"),
    ({"model.cell": {"choices": ["lstm", "rnn"]}}, r"`model\.cell`"),
    ({"model.bidirectional": {"low": 0, "high": 1}}, "has no range; list its choices"),
    ({"normaliser": {"low": 0, "high": 1}}, "`normaliser`"),
])
def test_what_is_no_training_setting_is_refused(keys, message):
    with pytest.raises(AsrError, match=message) as caught:
        space(keys)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [{"low": 0.0, "high": 0.5},
                                 {"low": 0.1, "high": 0.5, "log": True}])
def test_a_grid_has_an_end(key):
    with pytest.raises(AsrError, match=r"`model\.dropout`: a grid needs a step, or choices"):
        space({"model.dropout": key}, sampler="grid")


def test_a_grid_is_every_combination_in_order():
    found = space({"model.layers": {"low": 2, "high": 4}, "model.units": {"low": 8, "high": 30,
                                                                          "step": 10},
                   "model.dropout": {"low": 0, "high": 0.3, "step": 0.1},
                   "model.cell": {"choices": ["lstm", "gru"]}}, sampler="grid")
    expected = itertools.product([2, 3, 4], [8, 18, 28], [0.0, 0.1, 0.2, 0.3], ["lstm", "gru"])
    points = list(found.grid())
    assert [tuple(point.values()) for point in points] == list(expected)
    for point in points:
        model = found.config(point).model
        assert (model.layers, model.units, model.dropout, model.cell) == tuple(point.values())


def test_numbers_are_what_the_setting_holds():
    """`0` in the file is no whole number where the setting is none; `5e-4` is text in YAML."""
    found = space(yaml.safe_load("{learning_rate: {low: 5e-4, high: 1, log: true},"
                                 " model.dropout: {low: 0, high: 0.5}, epochs: {low: 2, high: 9}}"))
    rate, dropout, epochs = found.distributions.values()
    assert (rate.low, rate.log) == (0.0005, True)
    assert type(dropout.low) is float and type(epochs.low) is int


def test_choices_may_be_anything_that_a_setting_holds():
    found = space({"betas": {"choices": [[0.9, 0.98], [0.9, 0.999]]},
                   "schedule": {"choices": [{"kind": "cosine"}, {"kind": "plateau",
                                                                 "patience": 3}]},
                   "units.lexicon": {"choices": [None, "words.txt"]},
                   "model.bidirectional": {"choices": [True, False]}}, "units.kind=phones",
                  sampler="grid")
    configs = [found.config(point) for point in found.grid()]
    assert len(configs) == 16
    assert {c.betas for c in configs} == {(0.9, 0.98), (0.9, 0.999)}
    assert {(c.schedule.kind, c.schedule.patience) for c in configs} == {("cosine", 2),
                                                                         ("plateau", 3)}
    assert {str(c.units.lexicon) for c in configs} == {"None", "words.txt"}
    assert found.config(found.start()) == load_config(TrainConfig, None, ["units.kind=phones"])


def test_the_start_is_the_base_configuration_if_it_is_there():
    keys = {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
            "model.units": {"low": 100, "high": 300, "step": 50}}
    assert space(keys, "model.units=250").start() == {"learning_rate": 2e-3, "model.units": 250}
    assert space(keys, "model.units=260").start() is None
    assert space(keys, "model.units=400").start() is None
    assert space({"model.cell": {"choices": ["gru"]}}).start() is None


def test_the_rate_of_a_part_is_a_setting():
    rates = {"rates.front_end": {"low": 0, "high": 1}, "rates.head": {"choices": [1, 2]}}
    found = space(rates, "rates={head: 2}")
    assert found.start() is None
    config = found.config({"rates.front_end": 0.25, "rates.head": 1})
    assert config.rates == {"front_end": 0.25, "head": 1}
    assert space(rates, "rates={head: 2, front_end: 0.5}").start() == {
        "rates.front_end": 0.5, "rates.head": 2}


def test_the_rate_of_a_layer_is_one_too():
    found = space({"rates.layers.0": {"low": 0, "high": 1}}, "rates.layers.0=0.5", "rates.head=2")
    assert found.start() == {"rates.layers.0": 0.5}
    assert found.config({"rates.layers.0": 0.25}).rates == {"layers.0": 0.25, "head": 2}


def test_a_point_that_is_no_configuration_is_untrainable():
    found = space({"model.layers": {"low": 1, "high": 3}})
    with pytest.raises(Untrainable, match=r"model\.layers"):
        found.config({"model.layers": 0})
