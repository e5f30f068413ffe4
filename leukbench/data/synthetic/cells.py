"""Single cells: shapes and amounts of stain on a small grid of pixels.

Only sums, products, quotients and square roots touch pixels (angles enter as powers of unit
vectors), and blurring works on whole numbers; neither depends on the processor's vector units, so
that the same seed gives the same bytes wherever it is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, pi, sin, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic.patients import Morphology

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Sprite:
    """A drawn leukocyte: squares of one size, with units of the three stains."""

    cover: Plane  # 0 outside the cell to 1 inside
    pink: Plane  # of red cells
    blue: Plane  # of cytoplasm
    purple: Plane  # of nuclei


def step(distance: NDArray[np.floating[Any]], width: float) -> Plane:
    """Smooth step from 0 at ``-width / 2`` to 1 at ``width / 2``."""
    t = np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def grid(half: int, x: float, y: float) -> tuple[Plane, Plane]:
    """Coordinates of a square of ``2 * half + 1`` pixels, relative to the point `x`, `y`."""
    axis = np.arange(-half, half + 1, dtype=np.float32)
    return (axis - np.float32(x))[None, :], (axis - np.float32(y))[:, None]


def lobed_radius(x: Plane, y: Plane, waves: NDArray[np.float64]) -> Plane:
    """Distance from the origin over the outline ``1 + sum a_m cos(m t) + b_m sin(m t)``.

    `x` and `y` are in units of the radius; `waves` holds ``(a_m, b_m)`` for m = 2, 3, ...
    """
    r = np.sqrt(x * x + y * y) + np.float32(1e-6)
    ex, ey = x / r, y / r
    c, s, outline = ex, ey, np.ones_like(r)
    for a, b in waves.astype(np.float32):
        c, s = c * ex - s * ey, s * ex + c * ey
        outline += a * c + b * s
    return np.asarray(r / outline, dtype=np.float32)


def draw_waves(rng: np.random.Generator, amplitude: float, count: int) -> NDArray[np.float64]:
    """Random amplitudes for `lobed_radius`, smaller for the finer waves."""
    fall = amplitude / np.sqrt(np.arange(1, count + 1))
    return np.asarray(np.clip(rng.normal(0, 1, (count, 2)), -2, 2) * fall[:, None])


def blur(image: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Gaussian blur of whole numbers, by the variant that is the same to the bit everywhere."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, hint=cv2.ALGO_HINT_ACCURATE))


def grain(rng: np.random.Generator, side: int, sigma: float) -> Plane:
    """Smooth noise of mean 0 and standard deviation about 1, between -2.5 and 2.5."""
    noise = rng.integers(0, 65536, (side, side), dtype=np.uint16)
    smooth = blur(noise, max(sigma, 0.3))
    spread = 65536 / sqrt(12) / max(2 * sqrt(pi) * sigma, 1.0)
    values = (smooth.astype(np.float32) - 32768) / np.float32(spread)
    return np.asarray(np.clip(values, -2.5, 2.5), dtype=np.float32)


def red_cells(
    rng: np.random.Generator, offsets: NDArray[np.float64], radius: float, pallor: float, half: int
) -> Plane:
    """Units of stain in many red cells at once, each in a square of ``2 * half + 1`` pixels.

    The profile lies between a flat disc and the biconcave disc of Evans and Fung 1972
    (doi:10.1016/0026-2862(72)90069-6): thickness ``sqrt(1 - r2) (0.207 + 2.003 r2 - 1.123 r4)``.
    `offsets` holds the centre of each relative to the middle pixel of its square, as x, y; `pallor` is
    the mean depth of the central pallor, 0 to 1; `max_red_radius` must fit into `half`.
    """
    n = len(offsets)
    column = (n, 1, 1)
    radii = (radius * np.clip(1 + rng.normal(0, 0.055, n), 0.85, 1.15)).astype(np.float32)
    turn = rng.uniform(0, 2 * pi, n)
    c = np.cos(turn).astype(np.float32).reshape(column)
    s = np.sin(turn).astype(np.float32).reshape(column)
    oval = np.clip(rng.normal(0, 0.06, n), -0.15, 0.15).astype(np.float32).reshape(column)
    drop = np.clip(rng.normal(0, 0.02, n), -0.05, 0.05).astype(np.float32).reshape(column)
    depth = np.clip(pallor + rng.normal(0, 0.13, n), 0, 1).astype(np.float32).reshape(column)
    tone = np.clip(1 + rng.normal(0, 0.08, n), 0.75, 1.25).astype(np.float32).reshape(column)

    axis = np.arange(-half, half + 1, dtype=np.float32)
    dx = axis[None, None, :] - offsets[:, 0].astype(np.float32).reshape(column)
    dy = axis[None, :, None] - offsets[:, 1].astype(np.float32).reshape(column)
    u = (dx * c + dy * s) / radii.reshape(column)
    v = (dy * c - dx * s) / radii.reshape(column)
    u, v = u * (1 + oval), v * (1 - oval) * (1 + drop * u)
    r2 = u * u + v * v
    flat = step(1 - np.sqrt(r2), 2.2 / radius)
    biconcave = 1.45 * np.sqrt(np.clip(1 - r2, 0, 1)) * (0.207 + r2 * (2.003 - 1.123 * r2))
    return np.asarray(tone * flat * (1 - depth + depth * biconcave), dtype=np.float32)


def max_red_radius(radius: float) -> int:
    """Half side in whole pixels of a square that holds any red cell of this mean radius."""
    return ceil(radius * 1.15 / 0.85) + 2


def blast(rng: np.random.Generator, look: Morphology, radius: float, pixel: float) -> Sprite:
    """A lymphoid cell; `radius` in pixels, `pixel` in pixels per micrometre."""
    half = ceil(radius * 1.3) + 2
    x, y = grid(half, 0.0, 0.0)
    outline = lobed_radius(x / radius, y / radius, draw_waves(rng, 0.022, 4))
    cover = step(1 - outline, 1.6 / radius)

    share = float(np.clip(look.nuclear_fraction + rng.normal(0, 0.05), 0.45, 0.92))
    inner = radius * sqrt(share)
    reach = (radius - inner) * rng.uniform(0.2, 0.9)
    turn = rng.uniform(0, 2 * pi)
    cx, cy = reach * cos(turn), reach * sin(turn)
    nx, ny = (x - np.float32(cx)) / inner, (y - np.float32(cy)) / inner
    fold = float(np.clip(look.irregularity * rng.lognormal(0, 0.35), 0, 0.16))
    nuclear = np.maximum(lobed_radius(nx, ny, draw_waves(rng, fold, 5)), outline * 1.04)
    nucleus = step(1 - nuclear, 1.8 / inner)

    clumps = grain(rng, 2 * half + 1, look.grain * pixel)
    density = look.density * float(np.clip(1 + rng.normal(0, 0.06), 0.8, 1.2))
    rim = step(nuclear - 0.86, 0.25)
    chromatin = density * (1 + look.contrast * clumps + 0.12 * rim)
    blue_spots = np.zeros_like(cover)
    for _ in range(min(int(rng.poisson(look.nucleoli)), 4)):
        spot = pixel * rng.uniform(0.65, 1.15)
        distance, angle = inner * 0.6 * sqrt(rng.uniform()), rng.uniform(0, 2 * pi)
        px, py = cx + distance * cos(angle), cy + distance * sin(angle)
        r = np.sqrt((x - np.float32(px)) ** 2 + (y - np.float32(py)) ** 2) / np.float32(spot)
        core, halo = step(1 - r, 0.6), step(1.45 - r, 0.5)
        chromatin = chromatin * (1 + look.prominence * (0.22 * halo - 0.72 * core))
        blue_spots += 0.45 * look.prominence * core

    basophilia = float(np.clip(0.85 + rng.normal(0, 0.15), 0.5, 1.3))
    patchy = grain(rng, 2 * half + 1, 0.5 * pixel)
    cytoplasm = basophilia * (0.72 + 0.10 * patchy + 0.45 * step(outline - 0.80, 0.4))
    for _ in range(int(rng.poisson(0.5))):
        angle = rng.uniform(0, 2 * pi)
        px, py = 0.88 * radius * cos(angle), 0.88 * radius * sin(angle)
        hole = np.sqrt((x - np.float32(px)) ** 2 + (y - np.float32(py)) ** 2)
        cytoplasm = cytoplasm * (1 - 0.8 * step(0.42 * pixel - hole, 0.3 * pixel))
    return Sprite(
        cover=cover,
        pink=np.zeros_like(cover),
        blue=np.asarray(cover * (cytoplasm * (1 - nucleus) + blue_spots * nucleus), np.float32),
        purple=np.asarray(nucleus * np.clip(chromatin, 0.2, 2.2), np.float32),
    )


def neutrophil(rng: np.random.Generator, radius: float, pixel: float) -> Sprite:
    """A segmented granulocyte: pale granular cytoplasm, three to five linked lobes."""
    half = ceil(radius * 1.3) + 2
    x, y = grid(half, 0.0, 0.0)
    outline = lobed_radius(x / radius, y / radius, draw_waves(rng, 0.02, 3))
    cover = step(1 - outline, 1.6 / radius)
    lobes = int(rng.integers(3, 6))
    start, bow = rng.uniform(0, 2 * pi), rng.uniform(0.42, 0.52) * radius
    nucleus = np.zeros_like(cover)
    for lobe in np.arange(0, lobes - 0.5, 0.5):
        angle = start + lobe * 1.15
        px, py = bow * cos(angle), bow * sin(angle)
        size = radius * (rng.uniform(0.27, 0.34) if lobe % 1 == 0 else 0.12)
        waves = draw_waves(rng, 0.06, 3)
        r = lobed_radius((x - np.float32(px)) / size, (y - np.float32(py)) / size, waves)
        nucleus = np.maximum(nucleus, step(1 - r, 1.8 / size))
    clumps = grain(rng, 2 * half + 1, 0.6 * pixel)
    granules = grain(rng, 2 * half + 1, 0.22 * pixel)
    body = cover * (1 - nucleus)
    return Sprite(
        cover=cover,
        pink=np.asarray(body * (0.55 + 0.22 * granules), np.float32),
        blue=np.asarray(body * 0.12, np.float32),
        purple=np.asarray(nucleus * (1.08 + 0.13 * clumps), np.float32),
    )


def platelet(rng: np.random.Generator, radius: float, pixel: float) -> Plane:
    """Units of nucleus stain in a platelet: small, granular, without a nucleus."""
    half = ceil(radius * 1.5) + 2
    x, y = grid(half, 0.0, 0.0)
    r = lobed_radius(x / radius, y / radius, draw_waves(rng, 0.1, 3))
    speckle = grain(rng, 2 * half + 1, 0.25 * pixel)
    return np.asarray(step(1 - r, 2.5 / radius) * (0.38 + 0.12 * speckle), np.float32)
