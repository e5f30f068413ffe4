"""Grad-CAM: where in some test images each network looked."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import new_figure, shortened, show_picture
from leukbench.report.results import Results
from leukbench.report.what_models_use import heat_maps


def gradcam(results: Results, images_root: Path) -> Figure:
    """The first test image of each class, and below it the same under each network's heat map."""
    from leukbench.report.images import overlaid, picture_of

    by_model = heat_maps(results)
    first = next(iter(by_model.values()))
    columns = max(len(maps.images) for maps in by_model.values())
    figure = new_figure(1.75 * columns + 0.8, 1.95 * (len(by_model) + 1) + 0.4)
    grid = figure.subplots(len(by_model) + 1, columns, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    names = {image for maps in by_model.values() for image in maps.images}
    pictures = {image: picture_of(results, images_root / image) for image in names}
    for ax, image, label in zip(grid[0], first.images, first.labels, strict=False):
        show_picture(ax, pictures[image])
        ax.set_title(f"true class {shortened(label, 14)}", fontsize=8)
    for axes, (name, maps) in zip(grid[1:], by_model.items(), strict=True):
        for place, image in enumerate(maps.images):
            show_picture(axes[place], overlaid(pictures[image], maps.heat[place]))
            called = shortened(maps.predicted[place], 14)
            axes[place].set_title(f"{called}, {100 * maps.probability[place]:.1f} %", fontsize=8)
        axes[0].set_ylabel(shortened(results.titles[name], 20))
    return figure


GRADCAM = FigureSpec(
    name="gradcam",
    title="Grad-CAM: where each network looked",
    caption="The first test image of each class by file name, and below it the same under each "
    "network's heat map, with the predicted class and its probability: bright areas raised the score "
    "of that class. Each map is scaled to its own highest value. It tells where, not why.",
    draw=gradcam,
    possible=lambda results: bool(heat_maps(results)),
    images="required",
)
