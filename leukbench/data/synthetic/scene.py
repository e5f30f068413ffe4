"""What lies on the glass: red cells, leukocytes and platelets, as amounts of stain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic import cells
from leukbench.data.synthetic.patients import Appearance, Morphology, Patient

FIELD = 62.0
"""Width of a field of view in micrometres."""

_LYMPHOCYTE = Morphology(8.2, 0.88, 1.18, 0.8, 0.1, 0.0, 0.0, 0.02)
_Draw = Callable[[np.random.Generator, float, float], cells.Sprite]


@dataclass(frozen=True)
class Scene:
    """Stain on the glass."""

    stain: NDArray[np.float32]
    """Units of red-cell, cytoplasm and nucleus stain, ``(3, height, width)``."""
    cover: NDArray[np.float32]
    """Leukocytes, 0 outside to 1 inside, ``(height, width)``."""


def draw_scene(
    rng: np.random.Generator,
    who: Patient,
    look: Appearance,
    label: str,
    width: int,
    height: int,
    pixel: float,
) -> Scene:
    """Lay red cells, leukocytes and platelets on the glass; sizes in pixels, `pixel` per um."""
    stain = np.zeros((3, height, width), dtype=np.float32)
    cover = np.zeros((height, width), dtype=np.float32)
    white = _place_leukocytes(rng, who, look, label, width, height, pixel)
    _draw_red_cells(rng, who, stain[0], white, pixel)
    for x, y, radius, draw in white:
        _paste(stain, cover, draw(rng, radius, pixel), x, y)
    for _ in range(int(rng.poisson(2.0 * width * height / (FIELD * pixel) ** 2))):
        radius = pixel * rng.uniform(0.7, 1.3)
        sprite = cells.platelet(rng, radius, pixel)
        target, source = _overlap(
            sprite.shape[0], int(rng.integers(width)), int(rng.integers(height)), cover
        )
        stain[2][target] += sprite[source] * (1 - cover[target])
    return Scene(stain, cover)


def _place_leukocytes(
    rng: np.random.Generator,
    who: Patient,
    look: Appearance,
    label: str,
    width: int,
    height: int,
    pixel: float,
) -> list[tuple[float, float, float, _Draw]]:
    """Where leukocytes lie: x, y, radius and how to draw each.

    As many as fill a share of the field that does not depend on the class, so that neither the
    count nor the amount of purple gives the class away. The first one lies in the middle.
    """
    own = look.morphology[label]
    goal = rng.uniform(*look.leukocyte_cover) * width * height
    placed: list[tuple[float, float, float, _Draw]] = []
    filled = 0.0
    for attempt in range(look.attempts):
        kind = own if attempt == 0 or rng.uniform() > look.other_cells else None
        if kind is None and rng.uniform() < 0.5:
            kind = _LYMPHOCYTE
        mean = 11.5 if kind is None else kind.diameter * who.leukocyte_size
        radius = pixel * mean / 2 * float(np.clip(1 + rng.normal(0, 0.085), 0.75, 1.3))
        margin = 0.3 if attempt == 0 else 0.0
        x = rng.uniform(margin, 1 - margin) * width
        y = rng.uniform(margin, 1 - margin) * height
        near = any(
            (x - a) ** 2 + (y - b) ** 2 < (0.96 * (radius + r)) ** 2 for a, b, r, _ in placed
        )
        if near:
            continue
        placed.append((x, y, radius, _drawer(kind)))
        filled += pi * radius**2
        if filled >= goal:
            break
    return placed


def _drawer(look: Morphology | None) -> _Draw:
    if look is None:
        return cells.neutrophil
    return lambda rng, radius, pixel: cells.blast(rng, look, radius, pixel)


def _draw_red_cells(
    rng: np.random.Generator,
    who: Patient,
    plane: NDArray[np.float32],
    white: list[tuple[float, float, float, _Draw]],
    pixel: float,
) -> None:
    """Strew red cells, some against each other, none on a leukocyte."""
    height, width = plane.shape
    radius = who.red_diameter / 2 * pixel
    wide, high = width + 2 * radius, height + 2 * radius
    cover = float(np.clip(who.red_cover * rng.lognormal(0, 0.12), 0.05, 0.8))
    wanted = max(int(cover * wide * high / (pi * radius**2)), 1)
    blocked = np.array([(x, y, r) for x, y, r, _ in white])
    centres = np.empty((wanted, 2))
    gaps = np.empty(wanted)
    count = 0
    for fresh, lean, angle, gap in rng.uniform(size=(5 * wanted, 4)):
        if count == wanted:
            break
        if count and lean < who.clumping:
            distance = radius * (1.45 + 0.6 * gap)
            turn = 2 * pi * angle
            x, y = centres[int(fresh * count)] + distance * np.array([np.cos(turn), np.sin(turn)])
            space = 0.68
        else:
            x, y, space = wide * fresh - radius, high * angle - radius, 0.78 + 0.25 * gap
        if not (-radius <= x < width + radius and -radius <= y < height + radius):
            continue
        away = np.hypot(blocked[:, 0] - x, blocked[:, 1] - y) - blocked[:, 2]
        if away.min() < 0.75 * radius:
            continue
        if count:
            apart = np.hypot(centres[:count, 0] - x, centres[:count, 1] - y) / (2 * radius)
            if (apart < np.minimum(space, gaps[:count])).any():
                continue
        centres[count], gaps[count] = (x, y), space
        count += 1
    half = cells.max_red_radius(radius)
    whole = np.floor(centres[:count])
    sprites = cells.red_cells(rng, centres[:count] - whole, radius, who.pallor, half)
    for sprite, (x, y) in zip(sprites, whole, strict=True):
        target, source = _overlap(2 * half + 1, int(x), int(y), plane)
        plane[target] += sprite[source]


def _paste(
    stain: NDArray[np.float32], cover: NDArray[np.float32], sprite: cells.Sprite, x: float, y: float
) -> None:
    """Put a leukocyte on top of what lies there."""
    target, source = _overlap(sprite.cover.shape[0], int(x), int(y), cover)
    above = sprite.cover[source]
    for plane, own in zip(stain, (sprite.pink, sprite.blue, sprite.purple), strict=True):
        plane[target] = plane[target] * (1 - above) + own[source]
    np.maximum(cover[target], above, out=cover[target])


def _overlap(
    side: int, x: int, y: int, plane: NDArray[np.float32]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the plane, and of a square centred on `x`, `y`, where the two meet."""
    half = side // 2
    pairs = []
    for centre, length in ((y, plane.shape[0]), (x, plane.shape[1])):
        start, stop = max(centre - half, 0), max(min(centre + half + 1, length), 0)
        first = start - (centre - half)
        pairs.append((slice(start, stop), slice(first, first + max(stop - start, 0))))
    return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])
