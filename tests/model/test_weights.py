"""asr.model.weights: rounded weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors import safe_open
from safetensors.numpy import save_file

from asr.errors import AsrError
from asr.model.weights import check_contents, contents, pack, unpack

values = arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=5),
                elements=st.floats(-100, 100, width=32))


@given(values)
def test_int8_is_within_half_a_level_of_each_row(array):
    rounded = unpack(pack({"w": array}, "int8"))["w"]
    if array.ndim == 1:
        np.testing.assert_array_equal(rounded, array)
        return
    level = np.abs(array).reshape(len(array), -1).max(axis=1) / 127
    error = np.abs(rounded - array).reshape(len(array), -1)
    assert (error <= 0.5001 * level[:, None] + 1e-30).all()


@given(values)
def test_float16_rounds_as_numpy_does_and_float32_keeps(array):
    weights = {"w": array}
    np.testing.assert_array_equal(unpack(pack(weights, "float16"))["w"],
                                  array.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(unpack(pack(weights, "float32"))["w"], array)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_what_is_packed_is_what_is_announced(tmp_path, precision):
    random = np.random.default_rng(0)
    weights = {"a": random.standard_normal((4, 3, 2), np.float32),
               "b": random.standard_normal(5, np.float32)}
    path = tmp_path / "w.safetensors"
    shapes = {name: array.shape for name, array in weights.items()}
    save_file(pack(weights, precision), path)
    with safe_open(path, framework="numpy") as file:
        check_contents(path, file, contents(shapes, precision), "")
        for other in {"float32", "float16", "int8"} - {precision}:
            with pytest.raises(AsrError, match="do not fit their description"):
                check_contents(path, file, contents(shapes, other), "")
        with pytest.raises(AsrError, match=r"b: .*, not None.*; burn it"):
            check_contents(path, file, contents({"a": (4, 3, 2)}, precision), "burn it")
        check_contents(path, file, contents({"a": (4, 3, 2)}, precision), "", besides={"b"})
