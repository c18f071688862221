"""In what precision the products of a training are made."""

import torch

from asr.errors import Untrainable


def training_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype for `TrainConfig.precision` on a device.

    On a GPU `auto` is float16: what torch has of cuDNN's recurrent layers (GRUs, and LSTMs where
    our kernel does not run) is computed in it under autocast, whichever of the two is asked for.

    Raises
    ------
    Untrainable
        float16 on a CPU, which has no units for it.
    """
    if precision == "auto":
        if device.type == "cuda":
            units = torch.cuda.get_device_capability(device) >= (7, 0)  # since Volta
            return torch.float16 if units else torch.float32
        return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32
    if precision == "float16" and device.type != "cuda":
        raise Untrainable("precision=float16 needs a GPU; use auto, bfloat16 or float32")
    return {"float32": torch.float32, "bfloat16": torch.bfloat16,
            "float16": torch.float16}[precision]


def loss_scaler(device: torch.device, dtype: torch.dtype) -> torch.amp.GradScaler:
    """What keeps small gradients from becoming 0 on a GPU in halves; does nothing elsewhere.

    In bfloat16, too: cuDNN's recurrent layers are cast to float16 where other products are in it.
    """
    return torch.amp.GradScaler(device.type,
                                enabled=device.type == "cuda" and dtype != torch.float32)


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
