"""What differs between classes, and what differs between patients.

Morphology after the FAB and WHO descriptions of B-lymphoid cells: haematogones are small with
scant cytoplasm and condensed, even chromatin without nucleoli; blasts grow larger, their chromatin
opens, nucleoli appear and the nuclear outline becomes irregular (Bennett et al. 1976,
doi:10.1111/j.1365-2141.1976.tb03563.x; McKenna et al. 2001, doi:10.1182/blood.V98.8.2498).
The numbers are chosen so that neighbouring classes overlap; they measure nobody's cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic.config import CLASSES, ClassLook, SyntheticConfig

PATIENT, IMAGE, COPY, STAIN = range(4)
"""Streams of random numbers that never meet; the first word after the seed."""

# Optical density of red, green, blue light in each unit of stain: red cell, cytoplasm, nucleus.
_STAINS = np.array([[0.12, 0.40, 0.30], [0.52, 0.42, 0.13], [0.80, 1.36, 0.42]])


def stream(config: SyntheticConfig, *key: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the key alone, not on what was drawn before."""
    return np.random.default_rng([config.seed, *key])


@dataclass(frozen=True)
class Morphology:
    """How leukocytes of one class look; lengths in micrometres."""

    diameter: float
    nuclear_fraction: float  # area of the nucleus over area of the cell
    density: float  # chromatin: mean amount of stain
    grain: float  # size of its clumps
    contrast: float  # their relative depth
    nucleoli: float  # mean number
    prominence: float  # how much paler than the chromatin they are, 0 to 1
    irregularity: float  # relative amplitude of the folds of the nuclear outline


@dataclass(frozen=True)
class Appearance:
    """How the classes of a dataset look, and what lies between their cells."""

    morphology: Mapping[str, Morphology]
    leukocyte_cover: tuple[float, float]  # share of the field, from and to
    attempts: int  # to place a leukocyte, at most
    other_cells: float  # share of leukocytes that belong to no class
    red_cells: float  # factor on the cover of red cells


APPEARANCES: Mapping[ClassLook, Appearance] = {
    "overlapping": Appearance(
        {
            "Benign": Morphology(8.6, 0.88, 1.18, 0.75, 0.07, 0.0, 0.0, 0.025),
            "Early": Morphology(10.8, 0.78, 1.06, 0.62, 0.14, 0.5, 0.35, 0.045),
            "Pre": Morphology(13.0, 0.64, 0.97, 0.50, 0.21, 1.2, 0.50, 0.070),
            "Pro": Morphology(15.4, 0.79, 0.88, 0.34, 0.28, 2.4, 0.70, 0.110),
        },
        leukocyte_cover=(0.06, 0.17),
        attempts=40,
        other_cells=0.12,
        red_cells=1.0,
    ),
    "distinct": Appearance(
        {
            "Benign": Morphology(5.4, 0.77, 1.02, 1.05, 0.03, 0.0, 0.0, 0.015),
            "Early": Morphology(9.6, 0.77, 1.02, 0.72, 0.09, 0.0, 0.3, 0.02),
            "Pre": Morphology(15.3, 0.77, 1.02, 0.42, 0.26, 1.5, 0.65, 0.08),
            "Pro": Morphology(23.3, 0.77, 1.02, 0.20, 0.44, 4.0, 1.0, 0.16),
        },
        leukocyte_cover=(0.10, 0.27),
        attempts=80,
        other_cells=0.0,
        red_cells=0.3,
    ),
}


@dataclass(frozen=True)
class Patient:
    """What all images of one patient share; lengths in micrometres."""

    stains: NDArray[np.float64]  # density of red cell, cytoplasm, nucleus (rows) for R, G, B
    lamp: NDArray[np.float64]  # grey level of empty background in R, G, B
    tilt: NDArray[np.float64]  # fall of the light along x, y, and towards the corners
    blur: float  # standard deviation of the defocus
    red_cover: float  # share of the field
    red_diameter: float
    pallor: float  # depth of a red cell's central pallor, 0 to 1
    clumping: float  # chance that a red cell lies against another
    leukocyte_size: float  # factor on the diameter


def draw_patient(config: SyntheticConfig, label: str, patient: int) -> Patient:
    """Random effects of patient number `patient` of one class.

    Every effect has the same distribution in every class, so that it tells nothing about the class
    of a patient who was not seen; `confounding` alone breaks this.
    """
    number = CLASSES.index(label)
    rng = stream(config, PATIENT, number, patient)
    strength = config.patient_effect
    bias = stream(config, STAIN, number).normal(0, 0.4 * config.confounding, (3, 3))

    def near(mean: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(mean + strength * rng.normal(0, spread), low, high))

    amount = np.clip(strength * rng.normal(0, 0.14, (3, 1)), -0.6, 0.6)
    hue = np.clip(strength * rng.normal(0, 0.13, (3, 3)), -0.6, 0.6)
    return Patient(
        stains=_STAINS * np.exp(amount + hue + bias),
        lamp=np.clip([240, 236, 238] + strength * rng.normal(0, 6.0, 3), 190, 250),
        tilt=np.clip(
            np.array([0.0, 0.0, 0.06]) + strength * rng.normal(0, [0.03, 0.03, 0.02]), -0.12, 0.12
        ),
        blur=near(0.20, 0.05, 0.10, 0.45),
        red_cover=near(0.42, 0.13, 0.08, 0.75) * APPEARANCES[config.classes].red_cells,
        red_diameter=near(7.2, 0.35, 6.0, 8.6),
        pallor=near(0.92, 0.12, 0.1, 1.0),
        clumping=near(0.35, 0.2, 0.0, 0.8),
        leukocyte_size=near(1.0, 0.045, 0.85, 1.18),
    )
