"""Speech recognition that one can read: features, LSTM-CTC, beam search, word error rates."""

__version__ = "0.1.0"
