"""What happens inside an LSTM or GRU layer: its equations, step by step.

PyTorch's fused layers give hidden states alone. Here the gates are computed from their weights;
`tests/inspect/test_gates.py` holds the hidden states equal to theirs.
"""

import torch
from torch import Tensor, nn


def trace(rnn: nn.RNNBase, x: Tensor) -> dict[str, Tensor]:
    """Gates and states of a layer's cells in one direction, starting from zero.

    Parameters
    ----------
    rnn : nn.LSTM or nn.GRU
        One layer, one direction; its `units` cells are U.
    x : Tensor, shape = (T, inputs)
        One sequence.

    Returns
    -------
    dict of str to Tensor, shape = (T, U) each
        Of an LSTM `input`, `forget`, `output` (gates), `candidate`, `cell`, `hidden`; of a GRU
        `reset`, `update` (gates), `candidate`, `hidden`.
    """
    step = _lstm_step if isinstance(rnn, nn.LSTM) else _gru_step
    state = {name: x.new_zeros(rnn.hidden_size) for name in ("cell", "hidden")}
    weight_input, weight_hidden, bias_input, bias_hidden = rnn.all_weights[0]
    steps = []
    for from_input in x @ weight_input.T + bias_input:
        state = step(from_input, weight_hidden @ state["hidden"] + bias_hidden, state)
        steps.append(state)
    return {name: torch.stack([values[name] for values in steps]) for name in state}


def _lstm_step(from_input: Tensor, from_hidden: Tensor, state: dict[str, Tensor]
               ) -> dict[str, Tensor]:
    """Gers et al. 2000 (without peepholes); the rows of PyTorch's weights are i, f, g, o."""
    i, f, g, o = (from_input + from_hidden).chunk(4)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * state["cell"] + i * g
    return {"input": i, "forget": f, "output": o, "candidate": g, "cell": cell,
            "hidden": o * cell.tanh()}


def _gru_step(from_input: Tensor, from_hidden: Tensor, state: dict[str, Tensor]
              ) -> dict[str, Tensor]:
    """Cho et al. 2014, with the reset gate behind the matrix, as cuDNN has it; rows r, z, n."""
    r, z, n = from_input.chunk(3)
    from_r, from_z, from_n = from_hidden.chunk(3)
    r, z = (r + from_r).sigmoid(), (z + from_z).sigmoid()
    n = (n + r * from_n).tanh()
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * state["hidden"]}
