"""How figures look: colours that survive grey print and colour blindness, and the word SYNTHETIC."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report.formats import SYNTHETIC

# Okabe and Ito's palette, doi:10.1038/nmeth.1618; families differ in marker as well as in colour
FAMILY_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "deep": "#0072B2",
        "classical": "#D55E00",
        "ensemble": "#009E73",
        "reference": "#CC79A7",
        "control": "#767676",
        "probe": "#000000",
    }
)
FAMILY_MARKERS: Mapping[str, str] = MappingProxyType(
    {"deep": "o", "classical": "s", "ensemble": "^", "reference": "D", "control": "X", "probe": "P"}
)
PALE = "#c8c8c8"
INK = "#222222"
CLASS_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
)  # fmt: skip
_INCHES_A_LETTER = 0.105

_PARAMETERS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
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
    panels: int, columns: int = 4, size: tuple[float, float] = (2.3, 2.2), share: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make a grid of equal panels, row by row; what is left over of the last row stays empty."""
    columns = min(columns, max(panels, 1))
    rows = math.ceil(panels / columns)
    figure = new_figure(max(size[0] * columns, 4.2), size[1] * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    axes = list(grid.flat)
    for unused in axes[panels:]:
        unused.set_visible(False)
    for number, ax in enumerate(axes[:panels]):
        if share and number + columns >= panels:
            ax.xaxis.set_tick_params(labelbottom=True)
    return figure, axes[:panels]


def finish(figure: Figure, title: str, *, synthetic: bool) -> Figure:
    """Give a figure its title, which says SYNTHETIC for rendered smears, and fix its layout."""
    if synthetic:
        title = f"{SYNTHETIC} smears: {title}"
    title = textwrap.fill(title, int(figure.get_figwidth() / _INCHES_A_LETTER))
    figure.suptitle(title, color="#9b0000" if synthetic else INK, fontweight="bold")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    return figure


def shortened(text: str, length: int = 22) -> str:
    """Cut a long name at its end.

    >>> shortened("a" * 30, 5)
    'aaaa…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def colour_of(family: str) -> str:
    """Colour of a family; that of a third party's family is the reference models'."""
    return FAMILY_COLOURS.get(family, FAMILY_COLOURS["reference"])


def marker_of(family: str) -> str:
    """Marker of a family."""
    return FAMILY_MARKERS.get(family, "v")


def rendered(figure: Figure, form: str) -> bytes:
    """Return a figure as the bytes of a file; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    form : {"svg", "png"}
    """
    stream = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if form == "svg" else {"Software": None}
    with house_style():
        figure.savefig(stream, format=form, metadata=metadata)
    return stream.getvalue()
