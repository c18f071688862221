"""The place of language models in beam search.

A scorer is a NamedTuple of numbers and arrays with three functions, which `implement` has numba
compile into the search:

- field `start`: the state of the empty prefix. A state is one integer; a scorer of several parts
  (word history, node of a lexicon, hotwords) packs theirs into its 64 bits;
- `advance(scorer, state, unit)`: the state after one more unit, and what this adds to the log
  score; -inf forbids the unit there;
- `ceiling(scorer, unit)`: a finite number that `advance` never adds more than for that unit (0
  for log probabilities); by it the search sees without asking which prefixes can't survive;
- `finish(scorer, state)`: what ending there adds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numba.extending import overload


class NullScorer(NamedTuple):
    """Leaves the score to the posteriors; costs nothing."""

    start: int = 0


def advance(scorer: Any, state: int, unit: int) -> tuple[int, float]:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def ceiling(scorer: Any, unit: int) -> float:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def finish(scorer: Any, state: int) -> float:
    """Only a name for compiled code, see above."""
    raise NotImplementedError


def implement(kind: type, advance_kind: Callable, ceiling_kind: Callable, finish_kind: Callable
              ) -> None:
    """Make a NamedTuple class a scorer.

    The parameters of the three functions, which numba must be able to compile, are named as above.
    """
    @overload(advance, strict=False)
    def _(scorer: Any, state: Any, unit: Any) -> Callable | None:
        return advance_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(ceiling, strict=False)
    def _(scorer: Any, unit: Any) -> Callable | None:
        return ceiling_kind if getattr(scorer, "instance_class", None) is kind else None

    @overload(finish, strict=False)
    def _(scorer: Any, state: Any) -> Callable | None:
        return finish_kind if getattr(scorer, "instance_class", None) is kind else None


implement(NullScorer, lambda scorer, state, unit: (state, 0.0), lambda scorer, unit: 0.0,
          lambda scorer, state: 0.0)

NO_SCORER = NullScorer()
