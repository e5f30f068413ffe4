"""The camera: fields of view of a scene, photographed.

Light falls off in stain by the law of Beer and Lambert, ``I = I0 exp(-sum stain * density)``; so
overlapping red cells darken each other as they do under a microscope.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic import cells
from leukbench.data.synthetic.config import CLASSES, SyntheticConfig
from leukbench.data.synthetic.patients import APPEARANCES, IMAGE, Patient, draw_patient, stream
from leukbench.data.synthetic.scene import FIELD, Scene, draw_scene

_STEPS = 512  # of the attenuation table, per unit of optical density
_ATTENUATION = np.exp(-np.arange(4 * _STEPS) / _STEPS).astype(np.float32)


class Smear(NamedTuple):
    """A rendered field of view."""

    image: NDArray[np.uint8]
    """``(size, size, 3)``, channels red, green, blue."""
    mask: NDArray[np.bool_]
    """Where leukocytes are, known exactly, platelets not counted."""


def render_image(config: SyntheticConfig, label: str, patient: int, image: int) -> Smear:
    """Render one image of a patient, counted from 0: the same pixels whatever was rendered before.

    >>> smear = render_image(SyntheticConfig(size=64), "Pro", patient=0, image=0)
    >>> smear.image.shape, smear.mask.shape
    ((64, 64, 3), (64, 64))
    """
    rng = stream(config, IMAGE, CLASSES.index(label), patient, image)
    who = draw_patient(config, label, patient)
    scene = draw_scene(
        rng, who, APPEARANCES[config.classes], label, config.size, config.size, config.size / FIELD
    )
    return photograph(rng, who, scene, config.size, 0, 0)


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
