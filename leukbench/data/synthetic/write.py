"""A synthetic dataset in memory, or as a folder of PNG files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray

from leukbench.data.synthetic.config import RENDERER, SyntheticConfig
from leukbench.data.synthetic.copies import Item, plan, render_item
from leukbench.data.synthetic.truth import TRUTH_FILE, Truth, load_truth, tell_truth
from leukbench.errors import DataError
from leukbench.files import write_bytes, write_text

MASK_FOLDER = ".masks"
"""Where masks go: hidden, so that no loader takes it for a class."""


class Synthesized(NamedTuple):
    """A dataset in memory; labels, patients and paths have shape ``(n,)``."""

    images: Iterator[NDArray[np.uint8]]
    """``(size, size, 3)``, channels red, green, blue, rendered as they are asked for."""
    labels: NDArray[np.str_]
    patients: NDArray[np.str_]
    paths: NDArray[np.str_]
    """Where `write_dataset` would write them."""


def synthesize(config: SyntheticConfig) -> Synthesized:
    """Render a dataset without writing it.

    >>> made = synthesize(SyntheticConfig(images_per_class=1, size=64))
    >>> made.labels.tolist(), made.patients.tolist()
    (['Benign', 'Early', 'Pre', 'Pro'], ['p001', 'p009', 'p017', 'p025'])
    >>> np.stack(list(made.images)).shape
    (4, 64, 64, 3)
    """
    items, _ = plan(config)
    return Synthesized(
        (render_item(config, item).image for item in items),
        np.array([item.label for item in items]),
        np.array([item.group for item in items]),
        np.array([item.path for item in items]),
    )


def write_dataset(
    folder: Path | str, config: SyntheticConfig, *, masks: bool = False, jobs: int = 1
) -> Truth:
    """Write a dataset as ``<folder>/<class>/<patient>-<number>.png``, with its truth beside it.

    Files that are there already are kept, so that an interrupted call is taken up again.

    Parameters
    ----------
    folder : Path or str
        A new or empty folder, or one that an earlier call with the same configuration began.
    config : SyntheticConfig
        What to render.
    masks : bool
        Whether to write the masks of leukocytes too (0 and 255), under ``.masks/``.
    jobs : int
        Processes that render; -1 for one on each core. The files are the same.

    Raises
    ------
    DataError
        Where the folder holds something else, or cannot be written, or another version's renderer
        is asked for.
    """
    if config.renderer != RENDERER:
        raise DataError(
            f"renderer {config.renderer} is asked for, this version has {RENDERER}: install the "
            "version that made the dataset, or leave the renderer out."
        )
    root = Path(folder)
    truth = tell_truth(config)
    try:
        _claim(root, truth)
    except OSError as error:
        raise DataError(
            f"{error.filename or root} cannot be written ({error.strerror}): choose another "
            "folder, or mend its permissions and free space."
        ) from error
    items, _ = plan(config)
    missing = [
        item
        for item in items
        if not (root / item.path).exists()
        or (masks and not (root / MASK_FOLDER / item.path).exists())
    ]
    joblib.Parallel(n_jobs=jobs, batch_size=16 if jobs != 1 else "auto")(
        joblib.delayed(_write_item)(root, config, item, masks) for item in missing
    )
    return truth


def _claim(root: Path, truth: Truth) -> None:
    """Make sure that the folder is ours, and put the truth into it first."""
    root.mkdir(parents=True, exist_ok=True)
    if (root / TRUTH_FILE).exists():
        if load_truth(root) != truth:
            raise DataError(
                f"{root} holds a synthetic dataset of another configuration or renderer: choose "
                "another folder."
            )
    elif any(not entry.name.startswith(".") for entry in root.iterdir()):
        raise DataError(f"{root} holds other files: choose a new or empty folder.")
    else:
        write_text(root / TRUTH_FILE, truth.to_json())


def _write_item(root: Path, config: SyntheticConfig, item: Item, masks: bool) -> None:
    smear = render_item(config, item)
    colours = cv2.cvtColor(smear.image, cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".png", colours, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    write_bytes(root / item.path, coded.tobytes())
    if masks:
        coded = cv2.imencode(".png", smear.mask.astype(np.uint8) * 255)[1]
        write_bytes(root / MASK_FOLDER / item.path, coded.tobytes())
