"""A report for people as one HTML page: plots, tables, and every utterance's alignment."""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from asr.console import printable
from asr.score import html_plots
from asr.score.align import Counts
from asr.score.confidence import calibration_error
from asr.score.groups import Group
from asr.score.origin import origin
from asr.score.report import Report
from asr.score.transcript import Transcript

UTTERANCES = 5_000
"""The page holds no more, so that a browser opens it at once."""
_FREQUENT = 50  # words in each table of errors
_SPELT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}  # in JSON, inert inside HTML

_Cell = str | int | float | tuple[float, float] | None
"""Text, a count, a rate, an interval of rates, or nothing to tell."""


def html_report(report: Report, pictures: Mapping[int, Mapping[str, Any]] | None = None) -> str:
    """A page that needs no network and no other file, save the audio that it links to.

    Parameters
    ----------
    pictures : mapping of int to mapping, optional
        What to show of some utterances' audio instead of a link, see `asr.score.pictures`.
    """
    template = files("asr.score").joinpath("report.html").read_text(encoding="utf-8")
    script = re.search("<script>(.*?)</script>", template, re.DOTALL)
    assert script is not None
    digest = hashlib.sha256(script[1].encode()).digest()
    wer = report.rates["wer"].value
    # All in one pass: what looks like a placeholder inside a value stays what it is.
    return Template(template).substitute(
        digest=base64.b64encode(digest).decode(),
        title="Word error rate" + ("" if wer is None else f" {100 * wer:.2f} %"),
        hypothesis=_text(report.hypothesis.name), rates=_rates(report), origin=_origin(report),
        plots=_plots(report), errors=_errors(report), left_out=_left_out(report),
        pictures=_pictured(pictures), data=_data(report, pictures or {}))


def _rates(report: Report) -> str:
    """Word, character and sentence error rate, and what they count."""
    score, rates = report.score, report.rates
    by_speaker = rates["wer"].speaker_interval is not None
    headings = ["", "%", "95 % interval", *["… over speakers"] * by_speaker, "errors", "sub", "del",
                "ins", "of", ""]
    rows = []
    for name, counts, unit in (("wer", score.words, "words"),
                               ("cer", score.characters, "characters"),
                               ("ser", None, "utterances")):
        value = rates[name]
        rows.append([name.upper(), value.value, value.interval,
                     *[value.speaker_interval] * by_speaker, value.errors,
                     *([""] * 3 if counts is None else _parts(counts)), value.length, unit])
    return _table(headings, rows)


def _parts(counts: Counts) -> list[int]:
    return [int(part.sum()) for part in (counts.substitutions, counts.deletions,
                                         counts.insertions)]


def _origin(report: Report) -> str:
    """How the rates came about."""
    return "".join(f'<dt>{name}</dt><dd dir="auto">{_text(value)}</dd>\n'
                   for name, value in origin(report))


def _plots(report: Report) -> str:
    overall = report.rates["wer"].value
    if overall is None:
        return ""
    parts = []
    for number, (key, groups) in enumerate(html_plots.plotted(report).items()):
        drawn = html_plots.rates(groups, overall, f"groups-{number}")
        parts.append(f'<section><h3 dir="auto">WER by {_text(key)}</h3>\n{drawn}'
                     f"<details><summary>As a table</summary>\n{_group_table(groups)}</details>"
                     "</section>\n")
    words = report.word_confidences
    if words is not None:
        parts.append("<section><h3>Confidences of words</h3>\n"
                     f"{html_plots.reliability(words, 'reliability')}"
                     f"<p>Expected calibration error {calibration_error(words):.3f}, of "
                     f"{len(words.correct):,} words.</p></section>\n")
    return "".join(parts)


def _group_table(groups: Sequence[Group]) -> str:
    return _table(("", "WER %", "95 % interval", "errors", "sub", "del", "ins", "words"),
                  [(group.name, group.rate.value, group.rate.interval, group.rate.errors,
                    *_parts(group.counts), group.rate.length) for group in groups])


def _errors(report: Report) -> str:
    """Which words are confused, left out, made up and unknown."""
    analysis, unknown = report.analysis, report.unknown
    tables: list[tuple[str, Sequence[str], Sequence[Sequence[_Cell]]]] = [
        ("Substitutions", ("reference", "hypothesis", "times"), analysis.substitutions),
        ("Deletions", ("word", "times"), analysis.deletions),
        ("Insertions", ("word", "times"), analysis.insertions),
        ("Words by errors", ("word", "occurs", "sub", "del"), analysis.words)]
    if unknown is not None:
        tables.append((f"Unknown words: {unknown.words:,} reference words are not in the language "
                       f"model; {unknown.errors:,} of the {unknown.all_errors:,} substituted or "
                       "deleted words are among them", ("word", "occurs"), unknown.frequent))
    return "".join(
        f"<section><h3>{title}</h3>\n{_table(headings, rows[:_FREQUENT])}"
        + (f"<p>The first {_FREQUENT}.</p>" if len(rows) > _FREQUENT else "")
        + "</section>\n" for title, headings, rows in tables if rows)


def _left_out(report: Report) -> str:
    count = len(report.score.ids)
    if count <= UTTERANCES:
        return ""
    return (f"<p>These are the {UTTERANCES:,} utterances with most errors; {count - UTTERANCES:,} "
            "others are left out here, report.json holds all.</p>")


def _pictured(pictures: Mapping[int, Any] | None) -> str:
    return "" if not pictures else (
        f" {len(pictures)} of those with most errors also show their log mel spectrogram and the "
        "posteriors that the network gives to each unit, with the audio in the page itself: a "
        "click goes to a place in it.")


def _data(report: Report, pictures: Mapping[int, Mapping[str, Any]]) -> str:
    """The utterances as JSON for the page's script, most errors first; see there."""
    score = report.score
    uses = Counter(transcript.audio for transcript in report.transcripts)
    rows = []
    for i in score.by_errors()[:UTTERANCES].tolist():
        transcript = report.transcripts[i]
        rows.append([score.ids[i], transcript.speaker, score.references[i], score.hypotheses[i],
                     score.utterance_edits(i),
                     _audio_url(transcript, uses[transcript.audio] > 1), pictures.get(i)])
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).translate(_SPELT)
    return text.encode("utf-8", "backslashreplace").decode()  # \udcxx, for JSON the surrogate


def _audio_url(transcript: Transcript, shared: bool) -> str | None:
    """Where the audio lies, and which stretch of a file that holds more than the utterance."""
    if not transcript.audio:
        return None
    url = Path(transcript.audio).absolute().as_uri()
    if not shared and not transcript.start:
        return url
    end = "" if transcript.duration is None else f",{transcript.start + transcript.duration:.3f}"
    return f"{url}#t={transcript.start:.3f}{end}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[_Cell]]) -> str:
    kinds = ["" if isinstance(value, str) else ' class="number"' for value in rows[0]]
    head = "".join(f'<th scope="col"{kind}>{_text(heading)}</th>'
                   for heading, kind in zip(headings, kinds, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return (f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>'
            "</table></div>\n")


def _cell(value: _Cell) -> str:
    if isinstance(value, str):
        return f'<td dir="auto">{_text(value)}</td>'
    if value is None:
        text = "n/a"
    elif isinstance(value, tuple):
        text = " – ".join(f"{100 * end:.2f}" for end in value)
    else:
        text = f"{value:,}" if isinstance(value, int) else f"{100 * value:.2f}"
    return f'<td class="number">{text}</td>'


def _text(text: str) -> str:
    """Escaped, and without controls and changes of direction."""
    return escape(printable(text))
