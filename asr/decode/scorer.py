"""The place of language models in beam search.

A scorer is a NamedTuple of numbers and arrays with functions, which `implement` has numba
compile into the search:

- field `start`: the state of the empty prefix. A state is one integer; a scorer of several parts
  (word history, node of a lexicon, hotwords) packs theirs into its 64 bits;
- `readings(scorer, state, unit)`: in how many ways the prefix can be read with one more unit (words
  that sound alike), at least 1; the blank stands for the end of the utterance;
- `advance(scorer, state, unit, reading)`: the state after one more unit, and what this adds to the
  log score; -inf forbids the unit there;
- `ceiling(scorer, unit)`: a finite number that `advance` never adds more than for that unit (0
  for log probabilities); by it the search sees without asking which prefixes can't survive;
- `ceiling_from(scorer, state, unit)`: the same from one state, so it may be lower;
- `finish(scorer, state, reading)`: what ending there adds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numba.extending import overload


class NullScorer(NamedTuple):
    """Leaves the score to the posteriors; costs nothing."""

    start: int = 0


def readings(scorer: Any, state: int, unit: int) -> int:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def advance(scorer: Any, state: int, unit: int, reading: int) -> tuple[int, float]:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def ceiling(scorer: Any, unit: int) -> float:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def ceiling_from(scorer: Any, state: int, unit: int) -> float:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def finish(scorer: Any, state: int, reading: int) -> float:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def one_reading(scorer: Any, state: int, unit: int) -> int:
    """For a scorer that never has two."""
    return 1


def implement(kind: type, readings_kind: Callable, advance_kind: Callable, ceiling_kind: Callable,
              finish_kind: Callable, ceiling_from_kind: Callable | None = None) -> None:
    """Make a NamedTuple class a scorer.

    The parameters of its functions, which numba must be able to compile, are named as above;
    `ceiling_from` is `ceiling` unless given.
    """
    if ceiling_from_kind is None:
        def ceiling_from_kind(scorer: Any, state: int, unit: int) -> float:
            return ceiling(scorer, unit)

    @overload(readings, strict=False)
    def _(scorer: Any, state: Any, unit: Any) -> Callable | None:
        return readings_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(advance, strict=False)
    def _(scorer: Any, state: Any, unit: Any, reading: Any) -> Callable | None:
        return advance_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(ceiling, strict=False)
    def _(scorer: Any, unit: Any) -> Callable | None:
        return ceiling_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(ceiling_from, strict=False)
    def _(scorer: Any, state: Any, unit: Any) -> Callable | None:
        return ceiling_from_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(finish, strict=False)
    def _(scorer: Any, state: Any, reading: Any) -> Callable | None:
        return finish_kind if getattr(scorer, "instance_class", None) is kind else None


implement(NullScorer, one_reading, lambda scorer, state, unit, reading: (state, 0.0),
          lambda scorer, unit: 0.0, lambda scorer, state, reading: 0.0)

NO_SCORER = NullScorer()
