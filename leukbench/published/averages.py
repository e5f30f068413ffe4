"""Can a macro-averaged row be true: a matrix, a proof that there is none, or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from leukbench.published.known_supports import KnownSupports
from leukbench.published.rounding import Cell
from leukbench.published.search import BOXES, Outcome, search
from leukbench.published.targets import Targets, readings
from leukbench.published.unknown_supports import find_test_set

#: Numbers of classes tried where neither supports nor classes are stated.
USUAL = (4, 3, 5, 2, 6)


def decide(
    cells: Mapping[str, Cell],
    supports: Sequence[int] = (),
    classes: int | None = None,
    limit: int = 1000,
    boxes: int = BOXES,
) -> Outcome:
    """Decide whether a confusion matrix prints a macro-averaged row.

    Parameters
    ----------
    cells : mapping of str to Cell
        The printed cells.
    supports : sequence of int
        Images of each class; one number is the size of the test set; empty if neither is printed.
    classes : int, optional
        Number of classes where the supports do not tell.
    limit : int, default 1000
        Images up to which a test set is looked for first where its size is not printed.
    boxes : int, default 300
        Budget of the search, see `search.search`.

    Returns
    -------
    Outcome
        A matrix (rows true, columns predicted), a proof that there is none, or neither.
    """
    if len(supports) > 1:
        return _any(cells, lambda targets: search(KnownSupports(targets, supports), boxes))
    total = supports[0] if supports else None
    for k in (classes,) if classes else USUAL:

        def anywhere(targets: Targets, k: int = k) -> Outcome:
            return Outcome(find_test_set(targets, k, limit, total))

        found = _any(cells, anywhere)
        if found.matrix is not None:
            return found
    return Outcome()


def _any(cells: Mapping[str, Cell], judge: Callable[[Targets], Outcome]) -> Outcome:
    """The first reading of F1 that has a matrix; impossible only if every reading is."""
    impossible = True
    for targets in readings(cells):
        outcome = judge(targets)
        if outcome.matrix is not None:
            return outcome
        impossible &= outcome.impossible
    return Outcome(impossible=impossible)
