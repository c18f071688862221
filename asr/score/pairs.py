"""Texts by utterance id, and the strict pairing of references with hypotheses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from asr.errors import AsrError
from asr.manifest import Hypothesis, Utterance, read_records
from asr.score.trn import read_trn

Missing = Literal["error", "deletions"]
_NAMED = 3  # ids that an error message names before it counts the rest


def read_texts(path: Path, kind: type[Utterance] | type[Hypothesis]) -> dict[str, str]:
    """Read text by utterance id, in the file's order, from `kind` as .jsonl or from a .trn file.

    Raises
    ------
    AsrError
        The file is missing, of another type, damaged, or holds an id twice.
    """
    if path.suffix == ".trn":
        return read_trn(path)
    if path.suffix == ".jsonl":
        return {record.id: record.text for record in read_records(path, kind)}
    raise AsrError(f"{path}: expected a .jsonl or .trn file")


def pair_up(references: dict[str, str], hypotheses: dict[str, str], missing: Missing
            ) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Match references and hypotheses one to one by id.

    Parameters
    ----------
    missing : "error" or "deletions"
        What a reference without hypothesis is: a fault, or an utterance of which every word
        was deleted.

    Returns
    -------
    list of (id, reference, hypothesis)
        In the order of the references.
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
    return [(utterance, text, hypotheses.get(utterance, ""))
            for utterance, text in references.items()], absent


def _first(ids: Iterable[str]) -> str:
    names = [repr(utterance) for utterance in ids]
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
