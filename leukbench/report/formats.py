"""Numbers and names as people read them: percent, intervals, costs; escaped for Markdown and LaTeX."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

MISSING = "–"
NOT_REPORTED = "not reported"
SYNTHETIC = "SYNTHETIC"

_MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " "}
    | {sign: "\\" + sign for sign in "\\|`*_[]~#$"}
)
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "–": "--",
        "†": r"\textdagger{}",
        "\n": " ",
        "\r": " ",
    }
    | {sign: "\\" + sign for sign in "&%$#_{}"}
)


def escape_markdown(text: str) -> str:
    r"""Make any text stand for itself in a cell of a Markdown table.

    >>> print(escape_markdown("a|b <i> & c_d"))
    a\|b &lt;i&gt; &amp; c\_d
    """
    return text.translate(_MARKDOWN)


def escape_latex(text: str) -> str:
    r"""Make any text stand for itself in LaTeX.

    >>> print(escape_latex("50 % of a_b & c"))
    50 \% of a\_b \& c
    """
    return text.translate(_LATEX)


def percent(value: float | None, digits: int = 2) -> str:
    """Write a fraction, 0..1, in percent.

    >>> percent(0.97699), percent(float("nan"))
    ('97.70 %', '–')
    """
    if pd.isna(value):
        return MISSING
    return f"{100 * value:.{digits}f} %"


def interval(low: float, high: float, digits: int = 1) -> str:
    """Write the bounds of an interval of fractions, in percent without the sign.

    >>> interval(0.962, 0.9861)
    '96.2–98.6'
    """
    if pd.isna(low) or pd.isna(high):
        return MISSING
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f}"


def with_interval(value: float, low: float, high: float) -> str:
    """Write a fraction in percent with its interval.

    >>> with_interval(0.97699, 0.962, 0.9861)
    '97.70 % (96.2–98.6)'
    """
    if pd.isna(value):
        return MISSING
    return f"{percent(value)} ({interval(low, high)})"


def number(value: float | None, digits: int = 3) -> str:
    """Write a plain number, or a dash where there is none.

    >>> number(0.12345), number(None)
    ('0.123', '–')
    """
    if pd.isna(value):
        return MISSING
    return f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """Write a large whole number with its power of thousand.

    >>> [count(value) for value in (12, 203_972, 134_268_738, None)]
    ['12', '204 k', '134 M', '–']
    """
    if pd.isna(value):
        return MISSING
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.0f}"


def mean_count(value: float) -> str:
    """Write a mean of numbers of images.

    >>> mean_count(12.0), mean_count(85.6667)
    ('12', '85.7')
    """
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """Write a duration with the unit that suits it.

    >>> [seconds(value) for value in (0.0421, 12.3, 754.0, 7260.0)]
    ['42 ms', '12.3 s', '12.6 min', '2.0 h']
    """
    if pd.isna(value):
        return MISSING
    if value < 1:
        return f"{1000 * value:.0f} ms"
    if value < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def published_fraction(printed: str) -> float | None:
    """Read a printed value, percent or fraction, as a fraction; None where it is no number.

    Papers mix both forms: what is above 1 is percent.

    >>> published_fraction("97.69"), published_fraction("0.97"), published_fraction("not reported")
    (0.9769, 0.97, None)
    """
    value = _decimal(printed)
    return None if value is None else float(value)


def published_percent(printed: str) -> str:
    """Write a printed value in percent, with the digits that were printed.

    >>> published_percent("97.69"), published_percent("0.97"), published_percent("75.00")
    ('97.69 %', '97 %', '75.00 %')
    """
    value = _decimal(printed)
    return printed if value is None else f"{value.scaleb(2):f} %"


def _decimal(printed: str) -> Decimal | None:
    try:
        value = Decimal(printed.strip().removesuffix("%").strip())
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    return value.scaleb(-2) if value > 1 else value


def joined(names: Sequence[str]) -> str:
    """Write a list as a sentence does.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Lay out a Markdown table; every cell is escaped; `align` has a letter, l or r, per column."""
    ruler = ["---:" if letter == "r" else "---" for letter in align]
    lines = [[escape_markdown(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, ruler)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested values under dotted keys.

    >>> list(flattened({"a": {"b": 1}, "c": [2]}))
    [('a.b', 1), ('c', [2])]
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def data_uri(media_type: str, data: bytes) -> str:
    """Write an image as a page embeds it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
