"""The score stage: a reference file and a hypothesis file become a report."""

from pathlib import Path

from asr.manifest import Hypothesis, Utterance
from asr.score.align import score_utterances
from asr.score.pairs import Missing, pair_up, read_texts
from asr.score.report import Report, write_report
from asr.text.normalise import normaliser as named_normaliser


def score_files(reference: Path, hypothesis: Path, normaliser: str = "none",
                missing: Missing = "error", output: Path | None = None) -> Report:
    """Score a hypothesis file against a reference file, each .jsonl or .trn.

    Parameters
    ----------
    normaliser : str
        Applied to both sides' texts, see `asr.text.normalise`.
    missing : "error" or "deletions"
        See `asr.score.pairs.pair_up`.
    output : Path, optional
        Folder for the report, see `asr.score.report.write_report`.

    Raises
    ------
    AsrError
        A file cannot be read, the ids do not match, or `output` cannot be written.
    """
    normalise = named_normaliser(normaliser)
    pairs, absent = pair_up(read_texts(reference, Utterance), read_texts(hypothesis, Hypothesis),
                            missing)
    score = score_utterances((utterance, normalise(expected), normalise(found))
                             for utterance, expected, found in pairs)
    report = Report(score, reference, hypothesis, normaliser, missing, absent)
    if output is not None:
        write_report(report, output)
    return report
