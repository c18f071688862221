"""asr.config: typed defaults, YAML, overrides, and errors that name the key."""

from typing import Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from asr.config import Config, load_config, parse_config, save_config
from asr.errors import AsrError


class Network(Config):
    layers: int = Field(default=3, ge=1)
    cell: Literal["lstm", "gru"] = "lstm"
    dropout: float = 0.1


class Augment(Config):
    masks: int = 2


class Settings(Config):
    network: Network = Network()
    augment: Augment | None = None
    stages: tuple[Augment, ...] = ()
    rate: float = 1e-3
    seed: int = 0
    name: str = "run"

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        if self.rate > 1:
            raise ValueError("rate above 1 diverges; use `rate=0.001`")
        return self


def test_defaults():
    assert load_config(Settings) == Settings()


def test_file_then_overrides(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("network:\n  layers: 5\n  cell: gru\nrate: 1e-4\n")
    got = load_config(Settings, path, ["network.layers=2", "augment.masks=7", "name=a=b"])
    assert got == Settings(network=Network(layers=2, cell="gru"), augment=Augment(masks=7),
                           rate=1e-4, name="a=b")


def test_empty_file_is_the_default(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert load_config(Settings, tmp_path / "c.yaml") == Settings()


@pytest.mark.parametrize(("override", "message"), [
    ("sed=1", "unknown key `sed`; did you mean `seed`?"),
    ("network.layer=1", "unknown key `network.layer`; did you mean `network.layers`?"),
    ("augment.mask=1", "did you mean `augment.masks`?"),
    ("stages=[{mask: 1}]", "did you mean `stages.0.masks`?"),
    ("zzz=1", "known here: network, augment, stages, rate, seed, name"),
    ("seed=1.5", "`seed`: input should be a valid integer"),
    ("seed=", "`seed`: input should be a valid integer, not None"),
    ("seed=many", "`seed`: input should be a valid integer"),
    ("network.layers=0", "`network.layers`: input should be greater than or equal to 1, not 0"),
    ("network.cell=rnn", "`network.cell`: input should be 'lstm' or 'gru', not 'rnn'"),
    ("network=3", "`network`: "),
    ("rate=.nan", "`rate`: input should be a finite number"),
    ("rate=2", "configuration: rate above 1 diverges; use `rate=0.001`"),
    ("name=off", "`name`: input should be a valid string, not False"),
    ("seed=2020-13-45", "`seed`: input should be a valid integer"),
    (f"seed={'[' * 10_000}", "`seed`: input should be a valid integer"),
    ("seed", "an override is written key=value"),
    ("=1", "an override is written key=value"),
])
def test_faults_name_the_key(override, message):
    with pytest.raises(AsrError) as caught:
        load_config(Settings, None, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_override_through_a_value():
    with pytest.raises(AsrError, match="`seed` is a value, not a section"):
        load_config(Settings, None, ["seed=1", "seed.x=2"])


@pytest.mark.parametrize(("text", "message"), [
    ("a: [1\nb: 2\n", "c.yaml:2: not valid YAML"),
    ("name: 2020-13-45\n", "c.yaml: not valid YAML (month must be in 1..12)"),
    ("[" * 10_000, "c.yaml: not valid YAML (maximum recursion depth"),
    ("- 1\n- 2\n", "expected `key: value` lines, found a list"),
    ("!!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ("sede: 3\n", "c.yaml: unknown key `sede`; did you mean `seed`?"),
])
def test_bad_files(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(AsrError) as caught:
        load_config(Settings, tmp_path / "c.yaml")
    assert message in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(AsrError, match="no such file"):
        load_config(Settings, tmp_path / "none.yaml")


def test_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().seed = 3


@given(st.integers(), st.floats(max_value=1, allow_nan=False, allow_infinity=False),
       st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), st.integers(1, 99))
def test_yaml_round_trip(seed, rate, name, layers):
    config = Settings(seed=seed, rate=rate, name=name, network=Network(layers=layers))
    text = yaml.safe_dump(config.model_dump())
    assert parse_config(Settings, yaml.safe_load(text), "test") == config


@given(st.builds(Settings, network=st.builds(Network, layers=st.integers(1)),
                 augment=st.none() | st.builds(Augment), rate=st.floats(-1e300, 1),
                 name=st.text()))
@example(Settings(name="\x85"))
def test_what_is_saved_is_loaded_again(tmp_path_factory, settings):
    path = tmp_path_factory.getbasetemp() / "saved.yaml"
    save_config(path, settings)
    assert load_config(Settings, path) == settings
