"""A word with its place and that of its units."""

from asr.manifest import Word


class AlignedWord(Word):
    """A word of a transcript, as it is written there, with its place in the audio."""

    normalised: str
    """What was looked for: a word, or the several that the normaliser makes of it."""
    units: list[Word]
    """Its units; boundaries between words are none."""
