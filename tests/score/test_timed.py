import random
import re
import shutil
import subprocess

import pytest

from asr.errors import AsrError
from asr.score.timed import parse_stm, read_ctm, read_ctm_by_time, read_stm
from asr.score.transcript import Transcript

SCLITE = shutil.which("sclite") or shutil.which("/usr/lib/sctk/bin/sclite")
IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"


def by_time(folder, stm, ctm):
    (folder / "r.stm").write_text(stm, encoding="utf-8")
    (folder / "h.ctm").write_text(ctm, encoding="utf-8")
    return read_ctm_by_time(folder / "h.ctm", parse_stm(folder / "r.stm"), folder / "r.stm")


def texts(side):
    return {utterance: found.text for utterance, found in side.items()}


def test_stm(tmp_path):
    (tmp_path / "r.stm").write_text(
        ";; comment\n\nf A spk 0.5 2.0 <o,f0,male> hello  world\nf A spk 2.0 3.25\n"
        f"f A x 4 5 {IGNORED.lower()}\nf B other 0 1 <o,f0,male>\nf B other 1 2 <o>\tä b\n",
        encoding="utf-8")
    assert read_stm(tmp_path / "r.stm") == {
        "f-A-0.5-2.0": Transcript("hello  world", "spk", None, 0.5, 1.5, {"labels": "o,f0,male"}),
        "f-A-2.0-3.25": Transcript("", "spk", None, 2.0, 1.25),
        "f-B-0-1": Transcript("", "other", None, 0.0, 1.0, {"labels": "o,f0,male"}),
        "f-B-1-2": Transcript("ä b", "other", None, 1.0, 1.0, {"labels": "o"})}


@pytest.mark.parametrize(("line", "message"), [
    ("f A spk 1", "expected `file channel speaker start end text`"),
    ("f A spk one 2 x", "start is 'one', not a number"),
    ("f A spk 1 nan x", "end is 'nan', not a number"),
    ("f A spk 1 inf x", "end is 'inf', not a number"),
    ("f A spk 3 2.5 x", "ends at 2.5, before its start at 3"),
    ("f A spk 3 4 x { a / b }", "alternations .* are not supported"),
    ("f A spk 0 1 again", "id 'f-A-0-1' was already on line 1"),
])
def test_a_faulty_stm_line_is_named(tmp_path, line, message):
    (tmp_path / "r.stm").write_text(f"f A spk 0 1 x\n;; comment\n{line}\n")
    with pytest.raises(AsrError, match=rf"r\.stm:3: {message}"):
        read_stm(tmp_path / "r.stm")


def test_ctm_by_recording(tmp_path):
    (tmp_path / "h.ctm").write_text(";; comment\nb 1 1.0 0.5 two 0.5\na 1 0 1 x 0.25\n\n"
                                    "b 1 0.0 0.5 one 1 lex spk\nb 1 1.0 0.1 three 0.75\n"
                                    "c 1 0 1 u 0.5\nc 1 1 1 v NA\nd 1 0 1 w\n")
    assert read_ctm(tmp_path / "h.ctm") == {
        "b": Transcript("one two three", confidences=(1.0, 0.5, 0.75)),
        "a": Transcript("x", confidences=(0.25,)),
        "c": Transcript("u v"), "d": Transcript("w")}


def test_two_channels_are_no_utterance(tmp_path):
    (tmp_path / "h.ctm").write_text("f A 0 1 x\nf B 0 1 y\n")
    with pytest.raises(AsrError, match=r"h\.ctm: 'f' has more than one channel \(also 'B'\)"):
        read_ctm(tmp_path / "h.ctm")


@pytest.mark.parametrize(("line", "message"), [
    ("f A 0 1", "expected `file channel start duration word`"),
    ("f A zero 1 x", "start is 'zero', not a number"),
    ("f A nan 1 x", "start is 'nan', not a number"),
    ("f A 0 -0.5 x", "duration is -0.5, less than 0"),
    ("f A 0 1 x high", "confidence is 'high', not a number"),
    ("f A 0 1 x -3.5", "confidence is -3.5, not between 0 and 1; write NA"),
    ("f A 0 1 x 87", "confidence is 87, not between 0 and 1; write NA"),
    ("f A * * <ALT_BEGIN>", "alternations .* are not supported"),
])
def test_a_faulty_ctm_line_is_named(tmp_path, line, message):
    (tmp_path / "h.ctm").write_text(f"f A 0 1 x\n\n{line}\n")
    with pytest.raises(AsrError, match=rf"h\.ctm:3: {message}"):
        read_ctm(tmp_path / "h.ctm")


def test_words_go_to_the_segment_that_ends_after_their_middle(tmp_path):
    side = by_time(tmp_path, "f A s 0 1 x\nf A s 2 3 x\nf A s 4 5 x\nf A s 6 7 x\ng A t 0 9 x\n",
                   "f A 2.5 1.0 third .3\nf A 0.5 0.75 first .1\nf A 1.5 0.1 second .2\n"
                   "f A 9.0 0.1 last .5\nf A 6.0 0.1 fourth .4\n")
    assert side == {"f-A-0-1": Transcript("first", confidences=(0.1,)),
                    "f-A-2-3": Transcript("second", confidences=(0.2,)),
                    "f-A-4-5": Transcript("third", confidences=(0.3,)),
                    "f-A-6-7": Transcript("fourth last", confidences=(0.4, 0.5)),
                    "g-A-0-9": Transcript("")}


def test_segments_need_not_be_sorted_but_keep_the_order_of_the_file(tmp_path):
    side = by_time(tmp_path, "f A s 1 2 x\nf B s 0 1 x\nf A s 0 1 x\n",
                   "f A 0.1 0.1 a\nf B 0.2 0.1 b\nf A 1.1 0.1 c\n")
    assert list(texts(side).items()) == [("f-A-1-2", "c"), ("f-B-0-1", "b"), ("f-A-0-1", "a")]


def test_words_of_ignored_segments_are_left_out(tmp_path):
    stm = f"f A s 0 1 x\nf A s 1 2 {IGNORED}\nf A s 3 4 x\nf A s 4 5 {IGNORED}\n"
    ctm = "f A 0 .1 a\nf A 1.2 .1 out\nf A 2.5 .1 b\nf A 3.5 .1 c\nf A 9 1 out\n"
    assert texts(by_time(tmp_path, stm, ctm)) == {"f-A-0-1": "a", "f-A-3-4": "b c"}


def test_a_channel_that_the_reference_lacks_is_named(tmp_path):
    with pytest.raises(AsrError, match=r"h\.ctm: file 'f' channel '1' is not in .*r\.stm"):
        by_time(tmp_path, "f A s 0 1 x\n", "f A 0 1 x\nf 1 0 1 x\n")


def random_files(chance):
    """An STM and a CTM file; each segment has a speaker, and each word a spelling of its own."""
    segments, words = [], []
    for file, channel in [("f", "A"), ("f", "B"), ("g", "1")]:
        time = chance.choice([0, 500_000])  # hundredths of a second: ends are not always exact
        starts = []
        for _ in range(chance.randint(1, 6)):
            begin = time + chance.choice([0, 0, -30, 35])  # after a pause, or one into the other
            time = max(begin, time) + chance.randint(20, 200)
            text = chance.choice(["x y z", "x y z", "", IGNORED])
            segments.append(f"{file} {channel} s{len(segments)} {max(begin, 0) / 100} "
                            f"{time / 100} {text}")
            # A word whose middle is at the segment's end, as far as binary numbers can say.
            starts.append((time - 10, 20))
        starts += [(chance.randint(0, time + 50), chance.randint(0, 60)) for _ in range(15)]
        for begin, length in sorted(starts):
            words.append(f"{file} {channel} {begin / 100} {length / 100} w{len(words)} 0.5")
    return "\n".join(segments) + "\n", "\n".join(words) + "\n"


@pytest.mark.skipif(SCLITE is None, reason="needs sclite")
@pytest.mark.parametrize("seed", range(20))
def test_words_go_where_sclite_puts_them(tmp_path, seed):
    stm, ctm = random_files(random.Random(seed))
    found = by_time(tmp_path, stm, ctm)
    output = subprocess.run([SCLITE, "-r", "r.stm", "stm", "-h", "h.ctm", "ctm", "-s",
                             "-o", "pralign", "stdout"],
                            cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    expected = {}
    for block in output.split("id: (s")[1:]:
        said = " ".join(re.findall("HYP:(.*)", block))
        expected[int(block.partition("-")[0])] = " ".join(re.findall(r"w\d+", said))
    speakers = {segment.id: int(segment.transcript.speaker[1:])
                for segment in parse_stm(tmp_path / "r.stm") if not segment.ignored}
    assert {speakers[utterance]: text for utterance, text in texts(found).items()} == expected
    assert all(len(t.confidences) == len(t.text.split()) for t in found.values())
