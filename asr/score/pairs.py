"""The strict pairing of references with hypotheses."""

from collections.abc import Iterable
from typing import Literal

from asr.errors import AsrError
from asr.score.transcript import Side, Transcript

Missing = Literal["error", "deletions"]
_NAMED = 3  # ids that an error message names before it counts the rest


def pair_up(references: Side, hypotheses: Side, missing: Missing
            ) -> tuple[list[Transcript], list[str]]:
    """Match references and hypotheses one to one by id.

    Parameters
    ----------
    missing : "error" or "deletions"
        What a reference without hypothesis is: a fault, or an utterance of which every word
        was deleted.

    Returns
    -------
    list of Transcript
        The hypotheses in the order of the references; an absent one is empty.
    list of str
        Ids for which there was no hypothesis.

    Raises
    ------
    AsrError
        There are no references, a hypothesis has no reference, or (with "error") a reference
        no hypothesis.
    """
    if not references:
        raise AsrError("no reference utterances to score against")
    absent = [utterance for utterance in references if utterance not in hypotheses]
    unknown = [utterance for utterance in hypotheses if utterance not in references]
    faults = []
    if unknown:
        faults.append(f"{len(unknown)} of {len(hypotheses)} hypotheses have an id that is not "
                      f"among the references: {_first(unknown)}")
    if absent and missing == "error":
        faults.append(f"{len(absent)} of {len(references)} references have no hypothesis: "
                      f"{_first(absent)}")
        if not unknown:
            faults.append("count them as deleted with --missing deletions")
    if faults:
        raise AsrError("; ".join(faults))
    nothing = Transcript("")
    return [hypotheses.get(utterance, nothing) for utterance in references], absent


def _first(ids: Iterable[str]) -> str:
    names = [repr(utterance) for utterance in ids]
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
