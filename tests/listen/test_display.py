import io

import pytest
from rich.console import Console

from asr.listen.display import final_line, rewritten, show_plainly
from asr.listen.text_stream import Final, Partial
from asr.manifest import Word

FINAL = Final([Word(text="one", start=0.5, end=0.75, confidence=1.0),
               Word(text="t\x1b[2Jwo", start=1.0, end=1.254, confidence=1.0)])


def test_a_final_line_cannot_steer_a_terminal():
    assert final_line(FINAL) == "0.50\t1.25\tone t\ufffd[2Jwo"


def test_plainly_only_what_is_final_is_shown(capsys):
    show_plainly(Partial(["one"], 0))
    show_plainly(FINAL)
    assert capsys.readouterr().out == final_line(FINAL) + "\n"


def screen(written, width):
    """What is left of lines on a terminal that knows the few codes that are expected."""
    lines, row, column = [""], 0, 0
    at = 0
    while at < len(written):
        if written[at] == "\x1b":
            end = at + 2
            while not written[end].isalpha():
                end += 1
            code = written[at + 2:end + 1]
            if code == "2K":
                lines[row] = ""
            elif code.endswith("A"):
                row -= int(code[:-1])
            else:
                assert code in ("?25l", "?25h") or code.endswith("m")
            at = end + 1
            continue
        if written[at] == "\r":
            column = 0
        elif written[at] == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column].ljust(column) + written[at] + lines[row][column + 1:]
            column += 1
        at += 1
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("width", [80, 12])
def test_on_a_terminal_partial_texts_are_rewritten_and_final_ones_stay(width):
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, width=width, legacy_windows=False)
    with rewritten(console) as show:
        show(Partial(["on"], 0))
        show(Partial(["one", "tw"], 1))
        assert "".join(screen(buffer.getvalue(), width)).endswith("one tw")
        show(Final(FINAL.words[:1]))
        show(Partial(["six", "seven", "eight"], 1))
        assert " ".join(screen(buffer.getvalue(), width)).endswith("six seven eight")
        assert "\x1b[2mseven" in buffer.getvalue()
        show(Final(FINAL.words[:1]))
        show(Partial(["t"], 0))
    lines = screen(buffer.getvalue(), width)
    if width == 80:
        assert lines[:3] == ["0.50    0.75    one"] * 2 + [""]
    assert " ".join(lines).split() == ["0.50", "0.75", "one"] * 2
