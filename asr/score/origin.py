"""How a report's rates came about, in words; for reports of any form."""

from asr.score import statistics
from asr.score.analysis import Unknown
from asr.score.confidence import calibration_error
from asr.score.report import Report

_LONGEST = 40  # characters of an example
_COSTS = {"unit": "cost 1 for each edit, as jiwer",
          "sclite": "costs 4, 3, 3 of substitution, deletion, insertion, as sclite"}


def origin(report: Report) -> list[tuple[str, str]]:
    """Names and what to say of them: files, normaliser, alignment, intervals, confidences.

    The texts hold what files and users said: `asr.console.printable` takes out what could do harm.
    """
    count = len(report.score.ids)
    missing = len(report.missing_ids)
    rows = [("reference", str(report.reference)), ("hypothesis", str(report.hypothesis)),
            ("normaliser", _changes(report)), ("alignment", _COSTS[report.alignment])]
    if report.missing == "deletions":
        rows.append(("missing", f"{missing} of {count} utterances had no hypothesis and count as "
                                "all deleted"))
    if report.rates["wer"].value is None:
        rows.append(("no rate", "the references hold no words"))
    if report.unknown is not None:
        rows.append(("unknown", _unknown(report.unknown)))
    rows.append(("interval", f"{statistics.RESAMPLES:,} bootstrap resamples of utterances, seed "
                             f"{statistics.SEED}"))
    if report.rates["wer"].speaker_interval is not None:
        rows.append(("speakers", "resampled instead of utterances, the interval of WER is "
                                 + interval_text(report.rates["wer"].speaker_interval)))
    if report.word_confidences is not None:
        error = calibration_error(report.word_confidences)
        rows.append(("confidences", f"expected calibration error {error:.3f}, of "
                                    f"{len(report.word_confidences.correct):,} words"))
    rows.append(("characters", "Unicode code points, single spaces between words included"))
    return rows


def _changes(report: Report) -> str:
    changes = report.changes
    name = changes.normaliser
    if changes.substitutions is not None:
        name += f", then {changes.substitutions}"
    if not changes.changed:
        return name
    examples = "; ".join(f"“{_cut(before)}” → “{_cut(after)}”"
                         for before, after, _ in changes.examples)
    return f"{name}; changed {changes.changed:,} of {changes.texts:,} texts: {examples}"


def _unknown(unknown: Unknown) -> str:
    examples = ", ".join(_cut(word) for word, _ in unknown.frequent[:3])
    return (f"{unknown.words:,} reference words are not in the language model"
            + (f" ({examples}); {unknown.errors:,} of the {unknown.all_errors:,} substituted or "
               "deleted words are among them" if unknown.words else ""))


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else words[:_LONGEST - 1] + "…"


def interval_text(interval: tuple[float, float] | None) -> str:
    """In percent, or n/a."""
    return "n/a" if interval is None else " – ".join(f"{100 * end:.2f}" for end in interval)
