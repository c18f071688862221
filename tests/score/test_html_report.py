import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_text_report import report_of

from asr.score import html_report as module
from asr.score.groups import group_utterances
from asr.score.html_report import html_report
from asr.score.normalisation import Changes
from asr.score.transcript import Transcript

EVIL = ("</script><script>window.evil=1</script><img/src=x/onerror='window.evil=1'>&$title"
        "\u2028\u202e")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser",
                                                "google-chrome"))), None)


def data_of(page):
    [text] = re.findall('<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def hostile_report(**changes):
    """Three utterances; whatever can hold text holds what would run if it were markup."""
    pairs = [(f"{EVIL} a b e", f"{EVIL}x b e c"), ("d e", "d e"), ("f", f"{EVIL}")]
    transcripts = [Transcript(reference, speaker=f"{EVIL}{i % 2}", audio=f"/{EVIL}/é ?#.wav",
                              start=i, duration=1.5, extra={EVIL: f"{EVIL}{i}"})
                   for i, (reference, _) in enumerate(pairs)]
    report = report_of(*pairs, transcripts=transcripts, vocabulary=frozenset("abc"),
                       confidences=[(0.3, 0.9, 0.2, 0.4, 0.5), (0.8, 1.0), ()],
                       reference=Path(EVIL), hypothesis=Path(f"{EVIL}\udcff"),
                       changes=Changes(EVIL, Path(EVIL), 2, 1, [(EVIL, EVIL, 1)]), **changes)
    report.score.ids[:] = [f"{EVIL}{i}" for i in range(3)]
    report.groups[EVIL] = group_utterances(EVIL, transcripts, report.score.words)
    return report


def test_hostile_text_stays_text():
    page = html_report(hostile_report())
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "\u202e" not in page[:page.index('id="data"')]
    names = r'( xmlns(:xlink)?=|createElementNS\()"http://www\.w3\.org/[^"]*"'
    assert not re.search("https?://", re.sub(names, "", page))
    page.encode()
    rows = data_of(page)
    assert {row[0] for row in rows} == {f"{EVIL}{i}" for i in range(3)}
    assert f"{EVIL} a b e".split() in [row[2].split(" ") for row in rows]


def test_the_same_report_gives_the_same_page_with_ids_that_differ():
    page = html_report(hostile_report())
    assert html_report(hostile_report()) == page
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', page)) <= set(ids)


def test_the_page_says_what_the_report_says():
    page = html_report(report_of(("a b c d e", "a x d e y"), ("", "z"), missing="deletions",
                                 missing_ids=["utt-0"], vocabulary=frozenset("acde")))
    assert "<title>Word error rate 80.00 %</title>" in page
    assert "1 of 2 utterances had no hypothesis and count as all deleted" in page
    assert "cost 1 for each edit, as jiwer" in page
    assert "1 reference words are not in the language model; 1 of the 2" in page
    assert "WER by words in the reference" in page
    assert "WER by speaker" not in page
    assert "Confidences" not in page
    assert data_of(page) == [  # most errors first
        ["utt-0", None, "a b c d e", "a x d e y", [[0, 1, 1], [1, 2, 2], [2, 5, 4]], None, None],
        ["utt-1", None, "", "z", [[2, 0, 0]], None, None]]


@pytest.mark.parametrize("pairs", [[], [("", "x")], [("", "")], [("a", "a")]])
def test_a_report_about_next_to_nothing(pairs):
    assert len(data_of(html_report(report_of(*pairs)))) == len(pairs)


def test_speakers_whose_names_are_numbers_are_not_parted_at_quartiles():
    pairs = [("a b", "a")] * 50
    page = html_report(report_of(*pairs, transcripts=[Transcript("a b", speaker=str(1000 + i))
                                                      for i in range(50)]))
    assert len(set(re.findall(r">(10\d\d) \(2\)</text>", page))) == 40
    assert "the 40 with most words" in page


def test_audio_that_holds_more_than_the_utterance_is_played_in_part():
    transcripts = [Transcript("a", audio="/x/all of it.wav", duration=1.25),
                   Transcript("b", audio="/x/all of it.wav", start=1.25, duration=2.0),
                   Transcript("c", audio="/x/own#1.wav", duration=2.0),
                   Transcript("d", audio="/x/rest.wav", start=3.0)]
    rows = data_of(html_report(report_of(("a", "a"), ("b", "b"), ("c", "c"), ("d", "d"),
                                         transcripts=transcripts)))
    assert [row[5] for row in rows] == [
        "file:///x/all%20of%20it.wav#t=0.000,1.250", "file:///x/all%20of%20it.wav#t=1.250,3.250",
        "file:///x/own%231.wav", "file:///x/rest.wav#t=3.000"]


def test_utterances_with_fewest_errors_are_left_out(monkeypatch):
    monkeypatch.setattr(module, "UTTERANCES", 2)
    page = html_report(report_of(("a", "a"), ("b", "c"), ("d e", "f g")))
    assert [row[0] for row in data_of(page)] == ["utt-2", "utt-1"]
    assert "2 utterances with most errors; 1 others are left out here, report.json" in page
    assert module.UTTERANCES == 2
    assert "left out here" not in html_report(report_of(("a", "a"), ("b", "c")))


def browse(page, script, folder):
    """What `script` returns when it runs in the opened page, and what the console said."""
    page = re.sub("script-src '[^']*'", "script-src 'unsafe-inline'", page)
    wrapped = ("<script>const out = document.createElement('pre'); out.id = 'outcome';"
               f"out.textContent = JSON.stringify((() => {{{script}}})());"
               "document.body.append(out);</script></body>")
    path = folder / "page.html"
    path.write_text(page.replace("</body>", wrapped), encoding="utf-8")
    result = dump(path, folder)
    [text] = re.findall('<pre id="outcome">(.*?)</pre>', result.stdout, re.S)
    for name, character in (("lt", "<"), ("gt", ">"), ("amp", "&")):
        text = text.replace(f"&{name};", character)
    return json.loads(text), console(result)


def dump(path, folder):
    return subprocess.run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
                           f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
                           "--v=0", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()],
                          capture_output=True, encoding="utf-8", timeout=60, check=True)


def console(result):
    return [line for line in result.stderr.splitlines() if "CONSOLE" in line]


SCRIPT = """
  const table = document.getElementById("utterances");
  const ids = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const header = (n) => table.tHead.rows[0].cells[n];
  const change = (id, set, event) => {
    const element = document.getElementById(id);
    set(element);
    element.dispatchEvent(new Event(event));
  };
  const seen = { first: ids(), heads: [...table.tHead.rows[0].cells].map((c) => c.textContent) };
  header(2).querySelector("button").click();
  seen.most = [ids(), header(2).getAttribute("aria-sort")];
  header(2).querySelector("button").click();
  seen.fewest = [ids(), header(2).getAttribute("aria-sort")];
  header(0).querySelector("button").click();
  seen.byId = [ids(), header(0).getAttribute("aria-sort"), header(2).getAttribute("aria-sort")];
  const button = table.tBodies[0].rows[0].querySelector("button");
  button.click();
  const open = table.tBodies[0].querySelector(".open");
  seen.pairs = [...open.querySelectorAll(".pair")].map((p) => [...p.children].map(
    (c) => c.tagName + " " + c.textContent));
  seen.audio = open.querySelector("audio").src;
  seen.expanded = button.getAttribute("aria-expanded");
  button.click();
  seen.closed = [table.tBodies[0].querySelector(".open"), button.getAttribute("aria-expanded")];
  change("wrong", (box) => { box.checked = true; }, "change");
  seen.wrong = [ids(), document.getElementById("count").textContent];
  change("wrong", (box) => { box.checked = false; }, "change");
  change("find", (box) => { box.value = "D E"; }, "input");
  seen.found = ids();
  change("find", (box) => { box.value = ""; }, "input");
  change("speaker", (box) => { box.selectedIndex = 2; }, "change");
  seen.speaker = ids();
  seen.images = document.images.length;
  seen.evil = window.evil === undefined;
  return seen;
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_the_table_sorts_filters_and_opens_and_hostile_text_is_inert(tmp_path):
    page = html_report(hostile_report())
    seen, errors = browse(page, SCRIPT, tmp_path)
    zero, one, two = (f"{EVIL}{i}" for i in range(3))
    assert errors == []
    assert seen["evil"]
    assert seen["images"] == 0
    assert seen["heads"] == ["id", "speaker", "words", "S", "D", "I", "WER %"]
    assert seen["first"] == [zero, two, one]
    assert seen["most"][0][0] == zero
    assert seen["most"][1] == "descending"
    assert seen["fewest"][0][0] == two
    assert seen["fewest"][1] == "ascending"
    assert seen["byId"] == [[zero, one, two], "ascending", None]
    assert seen["pairs"][1:] == [
        ["DEL \u202e", "INS \u202ex", "SMALL S"], ["DEL a", "SPAN ·", "SMALL D"],
        ["SPAN b", "SPAN b"], ["SPAN e", "SPAN e"], ["SPAN ·", "INS c", "SMALL I"]]
    assert seen["audio"].startswith("file:///%3C")
    assert seen["audio"].endswith("/%C3%A9%20%3F%23.wav#t=0.000,1.500")
    assert seen["expanded"] == "true"
    assert seen["closed"] == [None, "false"]
    assert seen["wrong"] == [[zero, two], "1–2 of 2 that match, of 3 utterances"]
    assert seen["found"] == [one]
    assert seen["speaker"] == [one]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_the_policy_admits_the_pages_own_script(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(html_report(report_of(*[("a b", "a")] * 250)), encoding="utf-8")
    result = dump(path, tmp_path)
    assert console(result) == []
    assert "1–100 of 250 utterances" in result.stdout
    assert result.stdout.count('aria-expanded="false"') == 100


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_pages_turn(tmp_path):
    seen, errors = browse(html_report(report_of(*[("a b", "a")] * 250)), """
      const press = (id) => { document.getElementById(id).click();
        return [document.getElementById("count").textContent,
                document.getElementById("utterances").tBodies[0].rows.length,
                document.getElementById("next").disabled]; };
      return [press("next"), press("next"), press("previous")];""", tmp_path)
    assert errors == []
    assert seen == [["101–200 of 250 utterances", 100, False],
                    ["201–250 of 250 utterances", 50, True],
                    ["101–200 of 250 utterances", 100, False]]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_a_picture_shows_posteriors_and_follows_the_sound(tmp_path):
    page = html_report(report_of(("a", "b"), ("a", "a")), {0: {
        "seconds": 1.2, "sound": "", "image": "", "step": 0.03, "blank": [100, 3, 40],
        "units": [[EVIL, 1, [97, 60]], ["rare", 0, [5]]]}})
    assert "1 of those with most errors also show" in page
    seen, errors = browse(page, """
      for (const button of document.querySelectorAll("#utterances tbody button")) button.click();
      const [svg, ...others] = document.querySelectorAll("svg.picture");
      const audio = document.querySelector("audio");
      const texts = [...svg.querySelectorAll("text")].map((t) => t.textContent);
      Object.defineProperty(audio, "currentTime", { value: 0.5 });
      audio.dispatchEvent(new Event("seeked"));
      return { others: others.length, texts, width: svg.getAttribute("width"),
        curves: [...svg.querySelectorAll("path")].map((p) => p.getAttribute("d")),
        titles: [...svg.querySelectorAll("title")].map((t) => t.textContent),
        sound: audio.src, at: svg.querySelector(".playhead").getAttribute("x1"),
        evil: window.evil === undefined };""", tmp_path)
    assert errors == []
    assert seen["evil"]
    assert seen["others"] == 0
    assert seen["texts"] == ["0 s", "1 s", EVIL]  # what stays below 25 % has no label
    assert seen["titles"] == [f"{EVIL} 97 %", "rare 5 %"]
    assert seen["curves"][0] == "M1.8 120.0L5.4 207.3L9.0 174.0"  # frames' middles; 90 high
    assert seen["curves"][1] == "M1.8 210.0L5.4 122.7L9.0 156.0L12.6 210.0"
    assert seen["width"] == "144"
    assert seen["at"] == "60"
    assert seen["sound"] == "data:audio/mpeg;base64,"
