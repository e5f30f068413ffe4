"""Rendered blood smears with known patients, masks and duplicates: the embedded default dataset.

Nothing here is a photograph, and no score on these images says anything about patients. They exist
so that everything runs on a fresh machine, and so that leakage can be measured against the truth.
"""

from __future__ import annotations

from leukbench.data.synthetic.config import CLASSES, ClassLook, CopyPlan, SyntheticConfig
from leukbench.data.synthetic.copies import Item, PlantedPair, plan, render_item
from leukbench.data.synthetic.render import Smear, render_image
from leukbench.data.synthetic.write import (
    TRUTH_FILE,
    Synthesized,
    Truth,
    load_truth,
    synthesize,
    write_dataset,
)

__all__ = [
    "CLASSES",
    "TRUTH_FILE",
    "ClassLook",
    "CopyPlan",
    "Item",
    "PlantedPair",
    "Smear",
    "Synthesized",
    "SyntheticConfig",
    "Truth",
    "load_truth",
    "plan",
    "render_image",
    "render_item",
    "synthesize",
    "write_dataset",
]
