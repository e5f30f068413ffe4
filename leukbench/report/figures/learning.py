"""How training went: learning curves of the networks."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import PALE, new_figure, shortened
from leukbench.report.results import Results

_TRAINING, _MONITORED = "#0072B2", "#D55E00"


def learning_curves(results: Results) -> Figure:
    """Accuracy and loss an epoch: a thin line a trial, their mean in bold."""
    by_model = results.histories
    columns = min(4, len(by_model))
    rows = -(-len(by_model) // columns)
    figure = new_figure(max(2.4 * columns, 4.6), 3.3 * rows + 0.7)
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    for panel, (name, curves) in enumerate(by_model.items()):
        row, column = divmod(panel, columns)
        accuracy, loss = grid[2 * row, column], grid[2 * row + 1, column]
        _curve(accuracy, curves, "accuracy")
        _curve(loss, curves, "loss")
        accuracy.set_title(shortened(results.titles[name], 26))
        accuracy.set_ylim(0, 1.02)
        accuracy.tick_params(labelbottom=False)
        loss.set_xlabel("epoch")
        if column == 0:
            accuracy.set_ylabel("accuracy")
            loss.set_ylabel("loss")
    for ax in grid.flat:
        if not ax.has_data():
            ax.remove()
    monitored = {
        str(curve["monitored"].iloc[0]) for curves in by_model.values() for curve in curves
    }
    lines = grid[0, 0].get_lines()
    figure.legend(
        [line for line in lines if line.get_linewidth() > 1],
        ["training images", f"{' / '.join(sorted(monitored))} images"],
        loc="outside lower center", ncols=2,
    )  # fmt: skip
    return figure


def _curve(ax: Axes, curves: list[pd.DataFrame], quantity: str) -> None:
    for column, colour, line in (
        (quantity, _TRAINING, "-"),
        (f"val_{quantity}", _MONITORED, "--"),
    ):
        if len(curves) > 1:
            for curve in curves:
                ax.plot(curve["epoch"], curve[column], color=colour, linewidth=0.5, alpha=0.5)
        stacked = pd.concat(curves).groupby("epoch")[column].mean()
        ax.plot(stacked.index, stacked, color=colour, linestyle=line, linewidth=1.6)
    ax.grid(color=PALE, linewidth=0.4)
    ax.locator_params(axis="x", integer=True, nbins=5)


LEARNING_CURVES = FigureSpec(
    name="learning_curves",
    title="Learning curves",
    caption="Accuracy and loss of each network after every epoch, on training images and on those "
    "that were watched during training (validation, or test where the protocol has no validation "
    "part); thin lines are trials, the bold one their mean.",
    draw=learning_curves,
    possible=lambda results: bool(results.histories),
)
