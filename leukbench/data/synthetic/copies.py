"""Which files a synthetic dataset has, and the copies planted among them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from leukbench.data.synthetic.config import CLASSES, COPY_KINDS, CopyKind, SyntheticConfig
from leukbench.data.synthetic.patients import COPY, draw_patient, stream
from leukbench.data.synthetic.render import Smear, photograph, render_image
from leukbench.data.synthetic.scene import FIELD, draw_scene
from leukbench.errors import UsageError


@dataclass(frozen=True)
class Item:
    """One file: where it goes, whose it is, and how it is made.

    Attributes
    ----------
    path : str
        ``<class>/<patient>-<number>.png``.
    label : str
        The class it is filed under.
    group : str
        The patient, named alike under every label: ``p001``, ``p002``, ...
    source : tuple of (str, int, int)
        Class, patient and image that the pixels come from.
    kind : str or None
        Kind of copy; None for a rendered image.
    number : int
        Counts the planted copies of one kind; 0 for a rendered image.
    second : bool
        Of two overlapping fields, whether this is the second.
    """

    path: str
    label: str
    group: str
    source: tuple[str, int, int]
    kind: CopyKind | None = None
    number: int = 0
    second: bool = False


@dataclass(frozen=True)
class PlantedPair:
    """Two files that show the same content.

    Attributes
    ----------
    kind : str
        Kind of copy; see `CopyPlan`.
    first, second : str
        Paths below the dataset's folder; the second was made from the first.
    shift : tuple of (int, int) or None
        For overlapping fields: pixel ``(x, y)`` of the second shows what pixel ``(x + dx, y + dy)``
        of the first shows. For crops: the upper left corner of the crop. Else None.
    detail : str
        What was done: ``turned 90``, ``mirrored 1``, ``quality 75``, ``kept 210 of 224``.
    """

    kind: CopyKind
    first: str
    second: str
    shift: tuple[int, int] | None = None
    detail: str = ""


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
        if kind == "overlapping":
            rng = _copy_stream(config, kind, number)
            shift = _draw_shift(rng, config.size)
            origin = rendered[int(rng.integers(len(rendered)))]
            stem = f"{origin.label}/{origin.group}-c{len(items):03d}"
            first = Item(stem + "a.png", origin.label, origin.group, origin.source, kind, number)
            second = Item(
                stem + "b.png", origin.label, origin.group, origin.source, kind, number, True
            )
            items += [first, second]
            pairs.append(PlantedPair(kind, first.path, second.path, shift, "moved"))
            continue
        origin = rendered[int(next(order))]
        label = origin.label
        if kind == "conflict":
            rng = _copy_stream(config, kind, number)
            label = str(rng.choice([name for name in CLASSES if name != label]))
        path = f"{label}/{origin.group}-c{len(items):03d}.png"
        items.append(Item(path, label, origin.group, origin.source, kind, number))
        pairs.append(_describe(config, kind, number, origin.path, path))
    return items, pairs


def render_item(config: SyntheticConfig, item: Item) -> Smear:
    """Render one file of `plan`, with its mask moved along."""
    if item.kind == "overlapping":
        return _render_overlapping(config, item)
    image, mask = smear = render_image(config, *item.source)
    if item.kind is None or item.kind in ("exact", "conflict"):
        return smear
    rng = _copy_stream(config, item.kind, item.number)
    if item.kind == "rotated":
        turns = _draw_turns(rng)
        image, mask = np.rot90(image, turns), np.rot90(mask, turns)
    elif item.kind == "mirrored":
        turns = _draw_mirror(rng)
        image, mask = np.rot90(image[:, ::-1], turns), np.rot90(mask[:, ::-1], turns)
    elif item.kind == "recompressed":
        options = [cv2.IMWRITE_JPEG_QUALITY, _draw_quality(rng)]
        coded = cv2.imencode(".jpg", image[..., ::-1], options)[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1]
    else:
        kept, left, top = _draw_crop(rng, config.size)
        window = (slice(top, top + kept), slice(left, left + kept))
        full = (config.size, config.size)
        image = cv2.resize(image[window], full, interpolation=cv2.INTER_LINEAR_EXACT)
        small = mask[window].astype(np.uint8)
        mask = cv2.resize(small, full, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    return Smear(np.ascontiguousarray(image), np.ascontiguousarray(mask))


def _render_overlapping(config: SyntheticConfig, item: Item) -> Smear:
    """One of two photographs of a larger field; each has its own noise."""
    rng = _copy_stream(config, "overlapping", item.number)
    size = config.size
    dx, dy = _draw_shift(rng, size)
    label, patient, _ = item.source
    who = draw_patient(config, label, patient)
    scene = draw_scene(rng, who, label, size + abs(dx), size + abs(dy), size / FIELD)
    left, top = max(-dx, 0), max(-dy, 0)
    shots = rng.spawn(2)
    if item.second:
        return photograph(shots[1], who, scene, size, left + dx, top + dy)
    return photograph(shots[0], who, scene, size, left, top)


def _describe(
    config: SyntheticConfig, kind: CopyKind, number: int, first: str, second: str
) -> PlantedPair:
    rng = _copy_stream(config, kind, number)
    if kind == "rotated":
        return PlantedPair(kind, first, second, None, f"turned {90 * _draw_turns(rng)}")
    if kind == "mirrored":
        return PlantedPair(kind, first, second, None, f"mirrored {_draw_mirror(rng)}")
    if kind == "recompressed":
        return PlantedPair(kind, first, second, None, f"quality {_draw_quality(rng)}")
    if kind == "cropped":
        kept, left, top = _draw_crop(rng, config.size)
        return PlantedPair(kind, first, second, (left, top), f"kept {kept} of {config.size}")
    return PlantedPair(kind, first, second)


def _copy_stream(config: SyntheticConfig, kind: CopyKind, number: int) -> np.random.Generator:
    return stream(config, COPY, 1 + COPY_KINDS.index(kind), number)


def _draw_turns(rng: np.random.Generator) -> int:
    """Quarter turns, counter-clockwise."""
    return int(rng.integers(1, 4))


def _draw_mirror(rng: np.random.Generator) -> int:
    """Quarter turns that follow a reflection of left and right."""
    return int(rng.integers(0, 4))


def _draw_quality(rng: np.random.Generator) -> int:
    """JPEG quality in percent."""
    return int(rng.integers(60, 91))


def _draw_crop(rng: np.random.Generator, size: int) -> tuple[int, int, int]:
    """Side kept, and the left and upper margin cut off."""
    kept = size - max(round(size * rng.uniform(0.03, 0.09)), 1)
    left, top = rng.integers(0, size - kept + 1, 2)
    return kept, int(left), int(top)


def _draw_shift(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """Movement of the stage in pixels: 10 to 45 % along one axis, up to 15 % along the other."""
    far = round(size * rng.uniform(0.10, 0.45)) * int(rng.choice([-1, 1]))
    near = round(size * rng.uniform(-0.15, 0.15))
    return (far, near) if rng.integers(2) else (near, far)
