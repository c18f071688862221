import pytest
import torch

from asr.errors import AsrError
from asr.train.precision import training_dtype


@pytest.mark.parametrize(("capability", "dtype"), [((6, 1), torch.float32), ((7, 0), torch.float16),
                                                   ((9, 0), torch.float16)])
def test_halves_where_a_gpu_has_units_for_them(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert training_dtype("auto", torch.device("cuda")) == dtype


def test_float16_is_for_gpus():
    assert training_dtype("float16", torch.device("cuda")) == torch.float16
    with pytest.raises(AsrError, match="needs a GPU"):
        training_dtype("float16", torch.device("cpu"))
