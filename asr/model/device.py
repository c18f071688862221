"""Where a network computes."""

import os
from pathlib import Path

_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, Windows' under Linux


def inference_device() -> str:
    """The GPU if there is one, as torch names it; torchrun's processes take the machine's in turn.

    torch, which takes seconds to load, is asked only where a GPU's driver is. There float32 is
    float32 from then on: cuDNN would round to TF32's ten bits by default.
    """
    if os.name == "posix" and not any(Path(driver).exists() for driver in _DRIVERS):
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    torch.cuda.set_device(device)  # or pinned memory would take some of the first GPU as well
    torch.backends.cudnn.allow_tf32 = False
    return str(device)
