"""The inspect stage: a picture of what a model does with a recording."""

from collections.abc import Sequence
from pathlib import Path

from asr.align.align import pronounced
from asr.align.transcript import spell, written_words
from asr.audio import audio_info, read_audio
from asr.errors import AsrError
from asr.inspect.activity import forced_labels, greedy_labels, liveliest, observe
from asr.inspect.picture import draw
from asr.model.bundle import load_bundle
from asr.startup import tell_of_compiling
from asr.text.normalise import normaliser
from asr.text.units import frames_needed

LONGEST = 30.0
"""Seconds that one picture can show."""


def inspect_file(bundle_folder: Path, audio: Path, output: Path, layer: int, direction: str,
                 units: Sequence[int] | None, text: str | None) -> None:
    """Draw a recording, its features, some cells of a layer, and its posteriors.

    Parameters
    ----------
    units : sequence of int, optional
        Cells, from 0; by default two of those whose states vary most.
    text : str, optional
        What is said, to be marked in the posteriors in place of what greedy search finds.

    Raises
    ------
    AsrError
        The model has no such layer, direction or unit; the audio cannot be read, is too long, or
        too short for the text.
    """
    tell_of_compiling()
    bundle = load_bundle(bundle_folder)
    cells = bundle.config.model.units
    for unit in units or ():
        if not 0 <= unit < cells:
            raise AsrError(f"no unit {unit}: the model has {cells} in each direction of a layer, "
                           "counted from 0")
    duration = audio_info(audio).duration
    if duration > LONGEST:
        raise AsrError(f"{audio}: {duration:.0f} s long; a picture shows no more than "
                       f"{LONGEST:.0f} s, so cut a part out")
    samples = read_audio(audio, bundle.sample_rate)
    activity = observe(bundle, samples, layer, direction)
    if text is None:
        labels = greedy_labels(activity.log_posteriors)
    else:
        words = written_words(text, normaliser(bundle.config.normaliser))
        spelling = spell(words, bundle.units, allow_unknown=False)
        if frames_needed(spelling.labels.tolist()) > len(activity.log_posteriors):
            raise AsrError(f"{audio}: too short for the text")
        heard = pronounced(activity.log_posteriors, spelling, bundle.units)
        labels = forced_labels(activity.log_posteriors, heard.labels)
    draw(output, activity, labels, bundle, f"layer {layer}, {direction}",
         liveliest(activity.cells, 2) if units is None else units)
