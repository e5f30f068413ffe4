"""What a figure is: its name, its words, what it needs, and the function that draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from leukbench.report.results import Results


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the report; to add one, name it in `leukbench.report.figures.FIGURES`."""

    name: str
    """Name of its files, and of its section on the page."""
    title: str
    """Heading on the page, and over the drawing where `draw` sets no other (`Figure.suptitle`); the word
    SYNTHETIC is put before it where it belongs."""
    caption: str
    """What is seen, for the page and for those who do not see it."""
    draw: Callable[..., Figure]
    """Takes `Results` and, where `images` is not ``"none"``, the folder of images."""
    possible: Callable[[Results], bool] = lambda results: bool(results.trials)
    """Whether a run has what the figure needs; by default, whether it has predictions."""
    images: Literal["none", "optional", "required"] = "none"
    """Whether it shows pictures of cells."""

    def shows_cells(self, images_root: Path | None) -> bool:
        """Whether the figure shows cells when it is drawn with this folder of images, or None."""
        return self.images == "required" or (self.images == "optional" and images_root is not None)
