"""A report for programs: one JSON object."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from asr.files import file_name
from asr.score import statistics
from asr.score.align import Counts
from asr.score.confidence import calibration_error
from asr.score.report import Report
from asr.score.statistics import Rate

VERSION = 2
_KEYS = ("length", "substitutions", "deletions", "insertions")


def json_report(report: Report) -> Iterator[str]:
    """The pieces of a JSON object: origin, rates with intervals, and each utterance's counts.

    Rates are fractions, null where the references hold nothing to divide by. docs/scoring.md
    lists the keys. Utterances come one a line, so that a million of them take no memory.
    """
    head = json.dumps(_summary(report), ensure_ascii=False)
    yield head[:-1] + ', "utterances": ['
    score = report.score
    words, characters = (_columns(counts) for counts in (score.words, score.characters))
    for index, (utterance, w, c) in enumerate(zip(score.ids, words, characters, strict=True)):
        yield (",\n" if index else "\n") + json.dumps(
            {"id": utterance, "words": dict(zip(_KEYS, w.tolist(), strict=True)),
             "characters": dict(zip(_KEYS, c.tolist(), strict=True))}, ensure_ascii=False)
    yield "]}\n"


def _summary(report: Report) -> dict[str, Any]:
    score, changes, analysis = report.score, report.changes, report.analysis
    values: dict[str, Any] = {
        "schema": "asr.score", "version": VERSION,
        "reference": file_name(report.reference),
        "hypothesis": file_name(report.hypothesis),
        "alignment": report.alignment,
        "normaliser": changes.normaliser,
        "substitutions": changes.substitutions and file_name(changes.substitutions),
        "changed_texts": changes.changed,
        "changes": [{"before": before, "after": after, "count": count}
                    for before, after, count in changes.examples],
        "missing": {"policy": report.missing, "ids": report.missing_ids},
        "bootstrap": {"confidence": statistics.CONFIDENCE, "resamples": statistics.RESAMPLES,
                      "seed": statistics.SEED},
        "wer": _rate(report.rates["wer"], score.words),
        "cer": _rate(report.rates["cer"], score.characters),
        "ser": _rate(report.rates["ser"]),
        "groups": {key: [{"name": group.name, "utterances": len(group.utterances),
                          **_rate(group.rate, group.counts)} for group in groups]
                   for key, groups in report.groups.items()},
        "confusions": [{"reference": expected, "hypothesis": found, "count": count}
                       for expected, found, count in analysis.substitutions],
        "deleted": _counted(analysis.deletions),
        "inserted": _counted(analysis.insertions),
        "words": [word._asdict() for word in analysis.words],
    }
    if report.unknown is not None:
        values["unknown"] = {"words": report.unknown.words, "errors": report.unknown.errors,
                             "all_errors": report.unknown.all_errors,
                             "frequent": _counted(report.unknown.frequent)}
    if report.word_confidences is not None:
        values["calibration_error"] = calibration_error(report.word_confidences)
    return values


def _columns(counts: Counts) -> np.ndarray:
    return np.stack([getattr(counts, key) for key in _KEYS], axis=1)


def _counted(words: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"word": word, "count": count} for word, count in words]


def _rate(rate: Rate, counts: Counts | None = None) -> dict[str, Any]:
    values = {"rate": rate.value, "interval": rate.interval,
              "speaker_interval": rate.speaker_interval, "errors": rate.errors,
              "length": rate.length}
    if counts is not None:
        values |= {key: int(getattr(counts, key).sum()) for key in _KEYS[1:]}
    return values
