"""Which files a synthetic dataset has, and the copies planted among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic.config import CLASSES, COPY_KINDS, CopyKind, SyntheticConfig
from leukbench.data.synthetic.patients import APPEARANCES, COPY, draw_patient, stream
from leukbench.data.synthetic.render import Smear, photograph, render_image
from leukbench.data.synthetic.scene import FIELD, draw_scene
from leukbench.errors import UsageError


@dataclass(frozen=True)
class Item:
    """One file: where it goes, whose it is, and how it is made."""

    path: str
    """``<class>/<patient>-<number>.png``."""
    label: str
    """The class that it is filed under."""
    group: str
    """The patient, named alike under every label: ``p001``, ``p002``, ..."""
    source: tuple[str, int, int]
    """Class, patient and image that the pixels come from."""
    kind: CopyKind | None = None
    """Kind of copy; None for a rendered image."""
    number: int = 0
    """Counts the planted copies of one kind; 0 for a rendered image."""
    second: bool = False
    """Of two overlapping fields, whether this is the second."""


@dataclass(frozen=True)
class PlantedPair:
    """Two files that show the same content; the second was made from the first."""

    kind: CopyKind
    first: str
    second: str
    shift: tuple[int, int] | None = None
    """For overlapping fields: pixel ``(x, y)`` of the second shows what pixel ``(x + dx, y + dy)`` of
    the first shows. For crops: the upper left corner of the crop. Else None."""
    detail: str = ""
    """What was done: ``turned 90``, ``mirrored 1``, ``quality 75``, ``kept 210 of 224``."""


class _Change(NamedTuple):
    """What makes a copy of an image or its mask, and the words for it."""

    make: Callable[[NDArray[Any]], NDArray[Any]]
    detail: str = ""
    shift: tuple[int, int] | None = None


def group_name(config: SyntheticConfig, label: str, patient: int) -> str:
    """Name of a patient, counted through all classes from ``p001``."""
    return f"p{CLASSES.index(label) * config.patients_per_class + patient + 1:03d}"


def plan(config: SyntheticConfig) -> tuple[list[Item], list[PlantedPair]]:
    """All files of a dataset, rendered images first, and the pairs planted among them.

    Every copied image has one copy only, so that the pairs listed are all the pairs there are.

    Raises
    ------
    UsageError
        Where more copies are asked for than there are images to copy.
    """
    patients = config.patients_per_class
    items = []
    for label, count in config.counts.items():
        for number in range(count):
            patient, image = number % patients, number // patients
            group = group_name(config, label, patient)
            path = f"{label}/{group}-{image:03d}.png"
            items.append(Item(path, label, group, (label, patient, image)))
    copies, pairs = _plan_copies(config, items)
    return items + copies, pairs


def _plan_copies(
    config: SyntheticConfig, rendered: list[Item]
) -> tuple[list[Item], list[PlantedPair]]:
    kinds = [(kind, n) for kind in COPY_KINDS for n in range(config.copies.count(kind))]
    if sum(kind != "overlapping" for kind, _ in kinds) > len(rendered):
        raise UsageError(
            f"copies asks for more copies than there are images ({len(rendered)}): plant fewer."
        )
    order = iter(stream(config, COPY).permutation(len(rendered)) if kinds else ())
    items: list[Item] = []
    pairs = []
    for kind, number in kinds:
        rng = _copy_stream(config, kind, number)
        if kind == "overlapping":
            shift = _draw_shift(rng, config.size)
            origin = rendered[int(rng.integers(len(rendered)))]
            stem = f"{origin.label}/{origin.group}-c{len(items):03d}"
            whose = (origin.label, origin.group, origin.source, kind, number)
            first, second = Item(f"{stem}a.png", *whose), Item(f"{stem}b.png", *whose, second=True)
            items += [first, second]
            pairs.append(PlantedPair(kind, first.path, second.path, shift, "moved"))
            continue
        origin = rendered[int(next(order))]
        label = origin.label
        if kind == "conflict":
            label = str(rng.choice([name for name in CLASSES if name != label]))
        path = f"{label}/{origin.group}-c{len(items):03d}.png"
        items.append(Item(path, label, origin.group, origin.source, kind, number))
        change = _draw_change(config, kind, number)
        pairs.append(PlantedPair(kind, origin.path, path, change.shift, change.detail))
    return items, pairs


def render_item(config: SyntheticConfig, item: Item) -> Smear:
    """Render one file of `plan`, with its mask moved along."""
    if item.kind == "overlapping":
        return _render_overlapping(config, item)
    smear = render_image(config, *item.source)
    if item.kind is None:
        return smear
    make = _draw_change(config, item.kind, item.number).make
    return Smear(*(np.ascontiguousarray(make(pixels)) for pixels in smear))


def _render_overlapping(config: SyntheticConfig, item: Item) -> Smear:
    """One of two photographs of a larger field; each has its own noise."""
    rng = _copy_stream(config, "overlapping", item.number)
    size = config.size
    dx, dy = _draw_shift(rng, size)
    label, patient, _ = item.source
    who = draw_patient(config, label, patient)
    look = APPEARANCES[config.classes]
    scene = draw_scene(rng, who, look, label, size + abs(dx), size + abs(dy), size / FIELD)
    left, top = max(-dx, 0), max(-dy, 0)
    shots = rng.spawn(2)
    if item.second:
        return photograph(shots[1], who, scene, size, left + dx, top + dy)
    return photograph(shots[0], who, scene, size, left, top)


def _copy_stream(config: SyntheticConfig, kind: CopyKind, number: int) -> np.random.Generator:
    return stream(config, COPY, 1 + COPY_KINDS.index(kind), number)


def _draw_change(config: SyntheticConfig, kind: CopyKind, number: int) -> _Change:
    rng = _copy_stream(config, kind, number)
    if kind == "rotated":
        turns = int(rng.integers(1, 4))  # counter-clockwise
        return _Change(lambda pixels: np.rot90(pixels, turns), f"turned {90 * turns}")
    if kind == "mirrored":
        turns = int(rng.integers(0, 4))
        return _Change(lambda pixels: np.rot90(pixels[:, ::-1], turns), f"mirrored {turns}")
    if kind == "recompressed":
        quality = int(rng.integers(60, 91))
        return _Change(lambda pixels: _recompress(pixels, quality), f"quality {quality}")
    if kind == "cropped":
        size = config.size
        kept = size - max(round(size * rng.uniform(0.03, 0.09)), 1)
        left, top = (int(corner) for corner in rng.integers(0, size - kept + 1, 2))
        window = (slice(top, top + kept), slice(left, left + kept))
        return _Change(
            lambda pixels: _enlarge(pixels[window], size), f"kept {kept} of {size}", (left, top)
        )
    return _Change(lambda pixels: pixels)


def _recompress(pixels: NDArray[Any], quality: int) -> NDArray[Any]:
    """An image after JPEG; a mask as it is."""
    if pixels.dtype == np.bool_:
        return pixels
    coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1]


def _enlarge(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """An image or a mask, resized to `size` by a method that is the same to the bit everywhere."""
    if pixels.dtype == np.bool_:
        small = pixels.astype(np.uint8)
        return np.asarray(
            cv2.resize(small, (size, size), interpolation=cv2.INTER_NEAREST_EXACT) > 0
        )
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR_EXACT))


def _draw_shift(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """Movement of the stage in pixels: 10 to 45 % along one axis, up to 15 % along the other."""
    far = round(size * rng.uniform(0.10, 0.45)) * int(rng.choice([-1, 1]))
    near = round(size * rng.uniform(-0.15, 0.15))
    return (far, near) if rng.integers(2) else (near, far)
