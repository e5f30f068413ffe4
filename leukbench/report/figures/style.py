"""How figures look: colours that survive grey print and colour blindness, and the word SYNTHETIC."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukbench.report.formats import SYNTHETIC

# Okabe and Ito's palette, doi:10.1038/nmeth.1618; families differ in marker as well as in colour
FAMILIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "deep": ("#0072B2", "o"),
        "classical": ("#D55E00", "s"),
        "ensemble": ("#009E73", "^"),
        "reference": ("#CC79A7", "D"),
        "control": ("#767676", "X"),
        "probe": ("#000000", "P"),
    }
)
_OTHER_FAMILY = ("#CC79A7", "v")
PALE = "#c8c8c8"
INK = "#222222"
CLASS_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
)  # fmt: skip
_INCHES_A_LETTER = 0.105
_INCHES_A_LINE = 0.165
_PADDING = 0.15
_MARGIN = 0.08
_NARROWEST = 4.2
_COMPRESSION = 4

_PARAMETERS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titley": 1.0,
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 130.0,
    "figure.titlesize": 11.0,
    "savefig.dpi": 130.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "leukbench",
    "text.parse_math": False,
    "text.hinting": "none",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw or save in one style; signs that the font lacks are no fault."""
    with mpl.rc_context(_PARAMETERS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing")
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure (inches) that no global state knows."""
    return Figure(figsize=(width, height), layout="constrained")


def small_multiples(
    panels: int,
    title: str,
    labels: tuple[str, str],
    columns: int = 4,
    size: tuple[float, float] = (1.8, 1.8),
    *,
    title_lines: int = 1,
    gap: float = 0.3,
    left: float = 0.7,
    bottom: float = 0.6,
) -> tuple[Figure, list[Axes]]:
    """Make a grid of equal panels with the same axes, row by row; only the outer ones have ticks.

    Limits and ticks of the first panel hold for all, and so do `labels`, of the horizontal and of
    the vertical axis; `title_lines` are those over each panel. Sizes
    are inches: `size` is width and height of a panel, `gap` the room between columns, `left` and
    `bottom` that for labels. They are fixed: to measure the texts of twenty panels takes a second.
    """
    columns = min(columns, max(panels, 1))
    rows = math.ceil(max(panels, 1) / columns)
    between = _PADDING + _INCHES_A_LINE * title_lines
    used = columns * size[0] + (columns - 1) * gap
    width = max(left + used + _PADDING, _NARROWEST)
    lines = len(textwrap.wrap(f"{SYNTHETIC} smears: {title}", int(width / _INCHES_A_LETTER)))
    head = 0.15 + _INCHES_A_LINE * (lines + title_lines)
    height = bottom + head + rows * size[1] + (rows - 1) * between
    start = left + (width - left - used - _PADDING) / 2
    figure = Figure(figsize=(width, height))
    figure.suptitle(title)
    figure.supxlabel(labels[0], fontsize=9)
    figure.supylabel(labels[1], fontsize=9)
    figure.subplots_adjust(
        left=start / width,
        right=(start + used) / width,
        bottom=bottom / height,
        top=1 - head / height,
        wspace=gap / size[0],
        hspace=between / size[1],
    )
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    for unused in axes[panels:]:
        unused.remove()
    for number, ax in enumerate(axes[:panels]):
        ax.xaxis.set_visible(number + columns >= panels)
        ax.xaxis.set_tick_params(labelbottom=True)
        ax.yaxis.set_visible(number % columns == 0)
    return figure, axes[:panels]


def finish(figure: Figure, title: str, *, synthetic: bool) -> Figure:
    """Give a figure its title, which says SYNTHETIC for rendered smears, and fix its layout.

    A title that the drawing gave itself goes before `title`.
    """
    title = figure.get_suptitle() or title
    if synthetic:
        title = f"{SYNTHETIC} smears: {title}"
    title = textwrap.fill(title, int(figure.get_figwidth() / _INCHES_A_LETTER))
    colour = "#9b0000" if synthetic else INK
    heading = figure.suptitle(title, color=colour, fontweight="bold", va="top")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    heading.set_y(1 - _MARGIN / figure.get_figheight())
    return figure


def show_picture(ax: Axes, picture: NDArray[np.uint8]) -> None:
    """Show red, green and blue without ticks and frame."""
    ax.set_axis_on()
    ax.imshow(picture)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def show_files(axes: Iterable[Axes], paths: Sequence[Path]) -> None:
    """Show image files, at most 224 pixels wide and high, and hide the axes that have none."""
    from leukbench.report.images import reduced

    for ax, path in zip_longest(axes, paths):
        if path is None:
            ax.set_visible(False)
        else:
            show_picture(ax, reduced(path))


def evenly_spaced(total: int, most: int) -> NDArray[np.intp]:
    """At most so many positions out of ``total``, the first and the last among them."""
    if total == 0:
        return np.arange(0)
    return np.unique(np.linspace(0, total - 1, most).round().astype(np.intp))


def shortened(text: str, length: int = 22) -> str:
    """Cut a long name at its end.

    >>> shortened("a" * 30, 5)
    'aaaa…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def colour_of(family: str) -> str:
    """Colour of a family; that of a third party's family is the reference models'."""
    return FAMILIES.get(family, _OTHER_FAMILY)[0]


def marker_of(family: str) -> str:
    """Marker of a family."""
    return FAMILIES.get(family, _OTHER_FAMILY)[1]


def rendered(figure: Figure, form: str) -> bytes:
    """Return a figure as the bytes of an SVG or PNG; the same figure gives the same bytes."""
    stream = io.BytesIO()
    more: dict[str, Any] = {"metadata": {"Date": None}}
    if form == "png":
        more = {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": _COMPRESSION}}
    with house_style():
        figure.savefig(stream, format=form, **more)
    return stream.getvalue()
