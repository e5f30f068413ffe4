"""The architecture of each network, from the layers that its trial recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import INK, new_figure, shortened
from leukbench.report.formats import count
from leukbench.report.results import Results

KINDS: Mapping[str, tuple[str, str]] = {
    "convolution": ("#0072B2", ""),
    "pooling": ("#E69F00", "//"),
    "dense": ("#009E73", "--"),
    "normalisation": ("#d9d9d9", ""),
    "joining": ("#CC79A7", "xx"),
    "other": ("#f4f4f4", ""),
}
_LABELLED = 26
_FLOOR = 0.8


def kind_of(layer: str) -> str:
    """Kind of a Keras layer, by the name of its class.

    >>> kind_of("DepthwiseConv2D"), kind_of("MaxPooling2D"), kind_of("Flatten")
    ('convolution', 'pooling', 'other')
    """
    for word, kind in (
        ("Conv", "convolution"), ("Pool", "pooling"), ("Dense", "dense"),
        ("Normalization", "normalisation"), ("Add", "joining"), ("Concatenate", "joining"),
    ):  # fmt: skip
        if word in layer:
            return kind
    return "other"


def architecture(results: Results) -> Figure:
    """One bar per layer: its height is the side of the feature map, its colour the kind of layer."""
    by_model = results.layers
    figure = new_figure(8.8, 1.55 * len(by_model) + 0.9)
    axes = figure.subplots(len(by_model), 1, squeeze=False)[:, 0]
    for ax, (name, layers) in zip(axes, by_model.items(), strict=True):
        _network(ax, layers)
        total = sum(int(layer["parameters"]) for layer in layers)
        title = f"{shortened(results.titles[name], 40)}: {count(total)} parameters, {len(layers)} layers"
        ax.set_title(title, loc="left")
    kinds = {kind_of(str(layer["type"])) for layers in by_model.values() for layer in layers}
    figure.legend(
        handles=[
            Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.5, label=kind)
            for kind, (colour, hatch) in KINDS.items()
            if kind in kinds
        ],
        loc="outside lower center",
        ncols=len(kinds),
    )
    return figure


def _network(ax: Axes, layers: Sequence[Mapping[str, Any]]) -> None:
    shapes = [[int(size) for size in layer["output_shape"]] for layer in layers]
    sides = [shape[0] if len(shape) == 3 else 1 for shape in shapes]
    kinds = [kind_of(str(layer["type"])) for layer in layers]
    for kind, (colour, hatch) in KINDS.items():
        # one collection a kind: single bars of a network of 150 layers take a second
        bars = [
            _bar(position, sides[position])
            for position, layer_kind in enumerate(kinds)
            if layer_kind == kind
        ]
        ax.add_collection(
            PolyCollection(bars, facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.4)
        )
    if len(layers) <= _LABELLED:
        for position, (shape, side) in enumerate(zip(shapes, sides, strict=True)):
            ax.annotate(
                "×".join(map(str, shape)), (position, side), xytext=(0, 2),
                textcoords="offset points", rotation=90, ha="center", va="bottom", fontsize=6.5,
            )  # fmt: skip
    highest = max(layer["output_shape"][0] for layer in layers if len(layer["output_shape"]) == 3)
    ax.set_yscale("log", base=2)
    ax.set_ylim(_FLOOR, highest * (12 if len(layers) <= _LABELLED else 2))
    ax.set_yticks([1, highest], ["1", str(highest)])
    ax.minorticks_off()
    ax.set_xlim(-0.8, len(layers) - 0.2)
    ax.set_xticks([])
    ax.set_ylabel("side, pixels")


def _bar(position: int, side: int) -> list[tuple[float, float]]:
    """Corners of a bar from the lower edge of the axes."""
    left, right = position - 0.425, position + 0.425
    return [(left, _FLOOR), (left, side), (right, side), (right, _FLOOR)]


ARCHITECTURE = FigureSpec(
    name="architecture",
    title="Architectures",
    caption="One row per network: one bar per layer, as high as the side of its feature map in "
    "pixels. The layers stand in each model's section.",
    draw=architecture,
    possible=lambda results: bool(results.layers),
)
