"""What a training lowers."""

from torch import Tensor

from asr.train.crf import Denominator
from asr.train.ctc import ctc_loss


class Objective:
    """The loss of a batch: CTC's, or a share of CTC-CRF in it.

    Parameters
    ----------
    crf : float
        The share.
    denominator : Denominator, optional
        None without CTC-CRF.
    """

    def __init__(self, crf: float = 0.0, denominator: Denominator | None = None) -> None:
        self.crf = crf
        self.denominator = denominator

    def __call__(self, posteriors: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor
                 ) -> Tensor:
        """In nats, summed over the batch; as `asr.train.ctc.ctc_loss`."""
        loss = ctc_loss(posteriors, labels, lengths, label_lengths)
        if self.denominator is not None:
            loss = loss + self.crf * self.denominator(posteriors, labels, lengths, label_lengths)
        return loss
