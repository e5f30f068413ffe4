"""From cells to a photograph: a scene of stain, and the camera that takes fields of view of it.

Light falls off in stain by the law of Beer and Lambert, ``I = I0 exp(-sum stain * density)``; so
overlapping red cells darken each other as they do under a microscope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic import cells
from leukbench.data.synthetic.config import CLASSES, SyntheticConfig
from leukbench.data.synthetic.patients import (
    IMAGE,
    MORPHOLOGY,
    Morphology,
    Patient,
    draw_patient,
    stream,
)

FIELD = 62.0
"""Width of a field of view in micrometres."""

_NORMAL_SHARE = 0.12
_LYMPHOCYTE = Morphology(8.2, 0.88, 1.18, 0.8, 0.1, 0.0, 0.0, 0.02)
_STEPS = 512  # of the attenuation table, per unit of optical density
_ATTENUATION = np.exp(-np.arange(4 * _STEPS) / _STEPS).astype(np.float32)


class Smear(NamedTuple):
    """A rendered field of view.

    Attributes
    ----------
    image : numpy.ndarray
        uint8, ``(size, size, 3)``, channels red, green, blue.
    mask : numpy.ndarray
        bool, ``(size, size)``: where leukocytes are, known exactly, platelets not counted.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Stain on the glass.

    Attributes
    ----------
    stain : numpy.ndarray
        Units of red-cell, cytoplasm and nucleus stain, float32, ``(3, height, width)``.
    cover : numpy.ndarray
        Leukocytes, 0 outside to 1 inside, float32, ``(height, width)``.
    """

    stain: NDArray[np.float32]
    cover: NDArray[np.float32]


def render_image(config: SyntheticConfig, label: str, patient: int, image: int) -> Smear:
    """Render one image.

    Parameters
    ----------
    config : SyntheticConfig
        Size, seed and strength of the effects.
    label : str
        One of `CLASSES`.
    patient, image : int
        Number of the patient in the class, and of the image of that patient, from 0.

    Returns
    -------
    Smear
        The same pixels whatever else was rendered before.

    Examples
    --------
    >>> smear = render_image(SyntheticConfig(size=64), "Pro", patient=0, image=0)
    >>> smear.image.shape, smear.mask.shape
    ((64, 64, 3), (64, 64))
    """
    rng = stream(config, IMAGE, CLASSES.index(label), patient, image)
    who = draw_patient(config, label, patient)
    scene = draw_scene(rng, who, label, config.size, config.size, config.size / FIELD)
    return photograph(rng, who, scene, config.size, 0, 0)


def draw_scene(
    rng: np.random.Generator, who: Patient, label: str, width: int, height: int, pixel: float
) -> Scene:
    """Lay red cells, leukocytes and platelets on the glass; sizes in pixels, `pixel` per um."""
    stain = np.zeros((3, height, width), dtype=np.float32)
    cover = np.zeros((height, width), dtype=np.float32)
    white = _place_leukocytes(rng, who, label, width, height, pixel)
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


def photograph(
    rng: np.random.Generator, who: Patient, scene: Scene, size: int, left: int, top: int
) -> Smear:
    """Take the field of view of `size` pixels whose upper left corner is at `left`, `top`.

    The fall of the light stays with the camera, not with the glass; defocus and sensor noise are
    new in every photograph.
    """
    window = (slice(top, top + size), slice(left, left + size))
    pink, blue, purple = (plane[window] for plane in scene.stain)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    tx, ty, corner = (who.tilt + rng.normal(0, 0.006, 3)).astype(np.float32)
    light = (1 + tx * axis - corner * axis * axis)[None, :] + (ty * axis - corner * axis**2)[
        :, None
    ]
    gain = np.float32(np.clip(1 + rng.normal(0, 0.012), 0.96, 1.04))
    exposed = np.empty((size, size, 3), dtype=np.uint8)
    for channel in range(3):
        a, b, c = (who.stains[:, channel] * _STEPS).astype(np.float32)
        depth = np.minimum(pink * a + blue * b + purple * c, np.float32(4 * _STEPS - 1))
        level = np.float32(who.lamp[channel]) * gain * light
        exposed[..., channel] = np.clip(level * _ATTENUATION[depth.astype(np.uint16)], 0, 255)
    sigma = who.blur * size / FIELD * float(np.clip(1 + rng.normal(0, 0.12), 0.7, 1.4))
    focused = cells.blur(exposed, max(sigma, 0.2))
    noise = rng.standard_normal(focused.shape, dtype=np.float32)
    image = np.clip(focused + np.float32(2.2) * noise + np.float32(0.5), 0, 255).astype(np.uint8)
    return Smear(image, scene.cover[window] > 0.5)


_Draw = Callable[[np.random.Generator, float, float], cells.Sprite]


def _place_leukocytes(
    rng: np.random.Generator, who: Patient, label: str, width: int, height: int, pixel: float
) -> list[tuple[float, float, float, _Draw]]:
    """Where leukocytes lie: x, y, radius and how to draw each.

    As many as fill a share of the field that does not depend on the class, so that neither the
    count nor the amount of purple gives the class away. The first one lies in the middle.
    """
    look = MORPHOLOGY[label]
    goal = rng.uniform(0.06, 0.17) * width * height
    placed: list[tuple[float, float, float, _Draw]] = []
    filled = 0.0
    for attempt in range(40):
        kind = look if attempt == 0 or rng.uniform() > _NORMAL_SHARE else None
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
