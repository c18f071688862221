import itertools
import json

import pytest
from praatio.textgrid import openTextgrid

from asr.align.align import Alignment
from asr.align.misfits import Misfit
from asr.align.words import AlignedWord
from asr.align.writers import ctm, json_line, textgrid
from asr.manifest import Word


def word(text, start, end, *units):
    edges = [start + (end - start) * i / len(units) for i in range(len(units) + 1)]
    return AlignedWord(text=text, normalised=text.lower(), start=start, end=end, confidence=0.5,
                       units=[Word(text=unit, start=edges[i], end=edges[i + 1], confidence=0.25)
                              for i, unit in enumerate(units)])


ALIGNMENT = Alignment(2.5, [word("Say", 0.25, 0.75, "s", "a", "y"), word('"A"', 0.75, 1.0, "a"),
                            word("b", 2.0, 2.5, "b")], [Misfit(0.0, 1.0, "odd")])


def test_ctm():
    assert ctm("talk.2", ALIGNMENT).splitlines() == [
        "talk.2 1 0.250 0.500 Say 0.5000", 'talk.2 1 0.750 0.250 "A" 0.5000',
        "talk.2 1 2.000 0.500 b 0.5000"]


def test_json():
    values = json.loads(json_line("talk", ALIGNMENT))
    assert (values["schema"], values["name"], values["duration"]) == ("asr.alignment", "talk", 2.5)
    assert values["words"][1] == {
        "text": '"A"', "normalised": '"a"', "start": 0.75, "end": 1.0, "confidence": 0.5,
        "units": [{"text": "a", "start": 0.75, "end": 1.0, "confidence": 0.25}]}
    assert values["misfits"] == [{"start": 0.0, "end": 1.0, "what": "odd"}]


@pytest.mark.parametrize("words", [ALIGNMENT.words, [], [word("b", 0.0, 2.5, "b")]])
def test_textgrid_by_another_reader(tmp_path, words):
    path = tmp_path / "a.TextGrid"
    path.write_text(textgrid("a", Alignment(2.5, words, [])), "utf-8")
    grid = openTextgrid(str(path), includeEmptyIntervals=True)
    assert grid.tierNames == ("words", "units")
    for name, expected in (("words", words), ("units", [u for w in words for u in w.units])):
        entries = grid.getTier(name).entries
        assert entries[0].start == 0
        assert entries[-1].end == 2.5
        assert all(a.end == b.start for a, b in itertools.pairwise(entries))
        assert [(e.start, e.end, e.label) for e in entries if e.label] == [
            (pytest.approx(w.start), pytest.approx(w.end), w.text) for w in expected]
