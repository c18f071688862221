"""The score stage: references and hypotheses become a report."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asr.files import atomic_folder
from asr.progress import log
from asr.score.align import Alignment, score_utterances
from asr.score.groups import group_utterances
from asr.score.html_report import html_report
from asr.score.json_report import json_report
from asr.score.markdown_report import markdown_report
from asr.score.normalisation import Normalisation
from asr.score.pairs import Missing, pair_up
from asr.score.read import Source, read_sides
from asr.score.report import Report
from asr.score.text_report import text_report
from asr.score.transcript import Side
from asr.score.trn import fits_trn, write_trn

FILES = ("report.txt", "report.md", "report.html", "report.json", "ref.trn", "hyp.trn")


def score_files(reference: Source, hypotheses: Sequence[Source], *, normaliser: str = "none",
                substitutions: Path | None = None, missing: Missing = "error",
                alignment: Alignment = "unit", by: Sequence[str] = (), lm: Path | None = None
                ) -> list[Report]:
    """Score hypothesis files against a reference file; a report for each.

    Parameters
    ----------
    normaliser, substitutions : str, Path
        Applied to both sides' texts, see `asr.score.normalisation.Normalisation`.
    missing : "error" or "deletions"
        See `asr.score.pairs.pair_up`.
    alignment : "unit" or "sclite"
        See `asr.score.align.Alignment`.
    by : sequence of str
        Keys to group utterances by, see `asr.score.groups.group_utterances`.
    lm : Path, optional
        A language model, to tell errors at words that it lacks apart.

    Raises
    ------
    AsrError
        A file cannot be read, the ids do not match, or there is no such key to group by.
    """
    vocabulary = None
    if lm is not None:
        from asr.lm.binary import load_lm  # loads numba, which scoring can do without

        vocabulary = frozenset(load_lm(lm).words)
    with _without_garbage_collection():
        expected, sides = read_sides(reference, hypotheses)
        return [_score(expected, side, reference.path, source.path,
                       Normalisation(normaliser, substitutions), missing, alignment, by,
                       vocabulary)
                for source, side in zip(hypotheses, sides, strict=True)]


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The collector would look through all texts again and again for cycles that are not there:
    a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _score(references: Side, hypotheses: Side, reference: Path, hypothesis: Path,
           normalisation: Normalisation, missing: Missing, alignment: Alignment,
           by: Sequence[str], vocabulary: frozenset[str] | None) -> Report:
    found, absent = pair_up(references, hypotheses, missing)
    score = score_utterances(
        ((utterance, normalisation(transcript.text), normalisation(hypothesis.text))
         for (utterance, transcript), hypothesis in zip(references.items(), found, strict=True)),
        alignment)
    confidences = [transcript.confidences
                   if len(transcript.confidences) == len(text.split()) else ()
                   for transcript, text in zip(found, score.hypotheses, strict=True)]
    transcripts = list(references.values())
    return Report(score, transcripts, confidences, reference, hypothesis, alignment,
                  normalisation.changes(), missing, absent,
                  {key: group_utterances(key, transcripts, score.words) for key in by}, vocabulary)


def write_report(report: Report, folder: Path, bundle: Path | None = None) -> None:
    """Write report.txt, .md, .html and .json, ref.trn and hyp.trn into `folder`, all or nothing.

    An earlier report there is replaced; a folder that holds anything else is an `AsrError`. Where
    an id cannot stand in a .trn file, a line on stderr says that there are none.

    Parameters
    ----------
    bundle : Path, optional
        A model whose posteriors report.html shows, see `asr.score.pictures`.
    """
    score, shown = report.score, None
    if bundle is not None:
        from asr.score.pictures import pictures  # loads a network, which scoring does without

        shown = pictures(report, bundle)
    unfit = next((each for each in score.ids if not fits_trn(each)), None)
    with atomic_folder(folder.resolve(), FILES) as new:
        (new / "report.txt").write_text(text_report(report), encoding="utf-8")
        (new / "report.md").write_text(markdown_report(report), encoding="utf-8")
        (new / "report.html").write_text(html_report(report, shown), encoding="utf-8")
        with (new / "report.json").open("w", encoding="utf-8") as file:
            file.writelines(json_report(report))
        if unfit is None:
            write_trn(new / "ref.trn", zip(score.ids, score.references, strict=True))
            write_trn(new / "hyp.trn", zip(score.ids, score.hypotheses, strict=True))
    if unfit is not None:
        log(f"asr: {folder}: no ref.trn and hyp.trn, where the id {unfit!r} cannot stand")
