"""asr.startup: what comes before a command's first word."""

from numba import njit

from asr.startup import tell_of_compiling


def test_compiling_is_told_of_once(capsys):
    for _ in range(2):
        tell_of_compiling()

        @njit
        def one_more(x):
            return x + 1

        assert one_more(1) == 2 and one_more(1.5) == 2.5
    assert capsys.readouterr().err.count("compiling the search, once") == 1
