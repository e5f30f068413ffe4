"""What a benchmark gives: lines of figures, each with its target where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

import numpy as np

Sense = Literal["at least", "at most"]


@dataclass(frozen=True)
class Target:
    """What the median of a figure should be.

    Attributes
    ----------
    sense : {"at least", "at most"}
        Which side of `value` is wanted.
    value : float
        In the unit of the figure.
    """

    sense: Sense
    value: float

    def reached(self, value: float) -> bool:
        """Whether a figure is on the wanted side."""
        return value >= self.value if self.sense == "at least" else value <= self.value


TARGETS: Mapping[str, Target] = {
    "paper": Target("at least", 2.0),
    "throughput": Target("at least", 0.7),
    "torch": Target("at least", 0.9),
    "preprocessing cold": Target("at least", 1.8),
    "preprocessing warm": Target("at most", 0.1),
    "harness": Target("at most", 3.0),
    "nothing to do": Target("at most", 2.0),
    "report": Target("at most", 10.0),
    "gate": Target("at most", 2.0),
    "compare": Target("at most", 5.0),
    "parent memory": Target("at most", 300.0),
    "choice": Target("at least", 0.97),
}
"""Targets by kind of figure. A choice is right where the other is slower, or equal within 3 %."""


@dataclass(frozen=True)
class Line:
    """One figure, measured once or several times.

    Attributes
    ----------
    what : str
        What was measured.
    values : tuple of float
        One value a repetition.
    unit : str
        ``x`` for a ratio, else ``s``, ``%``, ``MiB``, ``GFLOP/s`` or empty.
    target : Target or None
        What the median should be.
    detail : str
        The two sides of a ratio, or what else explains the figure.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    target: Target | None = None
    detail: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None where there is none."""
        return None if self.target is None else self.target.reached(median(self.values))


@dataclass(frozen=True)
class Outcome:
    """What one benchmark gives."""

    lines: Sequence[Line]
    notes: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"lines": [asdict(line) for line in self.lines], "notes": list(self.notes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        """From what `as_json` gave."""
        lines = []
        for line in value["lines"]:
            target = Target(**line["target"]) if line["target"] else None
            lines.append(Line(**line | {"values": tuple(line["values"]), "target": target}))
        return cls(lines, tuple(value["notes"]))


class Skipped(Exception):
    """A benchmark cannot run here; the message is one sentence that says why."""


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> tuple[float, ...]:
    """Ratio of each pair of measurements that were made one after the other."""
    return tuple(a / b for a, b in zip(numerator, denominator, strict=True))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Exponent p of the power law ``value = c * size ** p`` by least squares of the logarithms.

    >>> round(exponent([1, 10, 100], [3, 300, 30000]), 6)
    2.0
    """
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def seconds_of(what: str, values: Sequence[float]) -> str:
    """One side of a ratio in words.

    >>> seconds_of("plain", [2.0, 3.0, 4.0])
    'plain 3 s'
    """
    return f"{what} {median(values):.3g} s"
