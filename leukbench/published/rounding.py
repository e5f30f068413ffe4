"""What a printed number can stand for: the exact interval of values that it rounds or cuts off.

A value printed as ``m`` units in the last place came from ``[m - 1/2, m + 1/2]`` when it was
rounded (whatever is done with halves) and from ``[m, m + 1]`` when it was cut off. The intervals
are closed, so that a cut done in binary floating point (``int(0.29 * 100) == 28``) is no
contradiction. Reasoning from such intervals to the integers behind them is the idea of the GRIM
test (Brown and Heathers 2017, doi:10.1177/1948550616673876).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from leukbench.errors import DataError, shortened

Style = Literal["rounded", "cut", "either"]
Unit = Literal["fraction", "percent"]
Interval = tuple[Fraction, Fraction]

ONE = Fraction(1)
WHOLE: Interval = (Fraction(0), ONE)

MISSING = frozenset({"", "-", "–", "—", "−", "na", "n/a", "nan", "none", "not reported", "nr"})
#: More decimals are those of a program's float; it is read to this many.
MAX_DECIMALS = 8
_MOST_DIGITS = 30
_NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?\s*(%?)")


@dataclass(frozen=True)
class Cell:
    """One printed share: `value` and `step` (one unit in the last place) are fractions of one.

    >>> cell = Cell.read("97.69", "percent")
    >>> cell.fits(Fraction(637, 652)), cell.style_of(Fraction(637, 652))
    (True, 'cut')
    """

    text: str
    unit: Unit
    value: Fraction
    step: Fraction
    is_float: bool = False

    @classmethod
    def read(cls, text: str, unit: Unit | None = None) -> Cell:
        """Read `text` in one unit, the likelier one unless it is given."""
        sign, whole, decimals, _ = _parts(text)
        unit = unit or units_of(text)[0]
        is_float = len(decimals) > MAX_DECIMALS
        value = round(Fraction(f"{sign}{whole}.{decimals or '0'}"), MAX_DECIMALS)
        step = Fraction(1 + is_float, 10 ** min(len(decimals), MAX_DECIMALS))
        scale = 100 if unit == "percent" else 1
        return cls(text.strip(), unit, value / scale, step / scale, is_float)

    def interval(self, style: Style = "either") -> Interval:
        """Closed interval of the values, within 0..1, that are printed like this."""
        if self.is_float:
            style = "rounded"
        low = self.value - (0 if style == "cut" else self.step / 2)
        high = self.value + (self.step / 2 if style == "rounded" else self.step)
        return max(low, Fraction(0)), min(high, Fraction(1))

    def fits(self, value: Fraction, style: Style = "either") -> bool:
        """Whether `value` (0..1) may have been printed as this cell."""
        low, high = self.interval(style)
        return low <= value <= high

    def style_of(self, value: Fraction) -> str:
        """How `value` became this cell: ``rounded``, ``cut`` or ``no``."""
        if self.fits(value, "rounded"):
            return "rounded"
        return "cut" if self.fits(value, "cut") else "no"


def units_of(text: str) -> tuple[Unit, ...]:
    """Return the units in which a printed share can be read, the likelier first.

    Empty for a number that is no share of anything: negative, or above 100. A DataError names a
    text that is no number.
    """
    sign, whole, decimals, percent = _parts(text)
    if len(whole) + len(decimals) > _MOST_DIGITS:
        raise DataError(
            f"{shortened(text)} has more than {_MOST_DIGITS} digits: write it as printed."
        )
    value = Fraction(f"{sign}{whole}.{decimals or '0'}")
    if value < 0 or value > 100:
        return ()
    return ("percent",) if percent or value > 1 else ("fraction", "percent")


def no_share(name: str, text: str) -> str:
    """Say that a printed number is no share; empty where it is one."""
    return "" if units_of(text) else f"{name} {text} is no share: it is negative or above 100"


def missing(text: str) -> bool:
    """Whether a cell says that there is no value: empty, a dash, "n/a"."""
    return text.strip().lower() in MISSING


def show(value: Fraction | float, unit: Unit = "percent") -> str:
    """A share as text: two decimals of a percent, or four of a fraction.

    >>> show(Fraction(61, 63)), show(Fraction(61, 63), "fraction")
    ('96.83', '0.9683')
    """
    return f"{float(value) * 100:.2f}" if unit == "percent" else f"{float(value):.4f}"


def show_range(values: Sequence[Fraction | float], unit: Unit = "percent") -> str:
    """The smallest and the largest share as text; one number where they look alike."""
    low, high = show(min(values), unit), show(max(values), unit)
    return low if low == high else f"{low} to {high}"


def _parts(text: str) -> tuple[str, str, str, str]:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise DataError(f"{shortened(text)} is not a number: print a share such as 97.69 or 0.977.")
    sign, whole, decimals, percent = match.groups(default="")
    return sign, whole, decimals, percent
