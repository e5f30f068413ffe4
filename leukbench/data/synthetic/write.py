"""A synthetic dataset in memory, or as a folder of PNG files."""

from __future__ import annotations

import os
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

MASK_FOLDER = ".masks"
"""Where masks go: hidden, so that no loader takes it for a class."""


class Synthesized(NamedTuple):
    """A dataset in memory.

    Attributes
    ----------
    images : iterator of numpy.ndarray
        uint8, ``(size, size, 3)``, channels red, green, blue, rendered as they are asked for.
    labels, patients, paths : numpy.ndarray
        Class, patient, and the path that `write_dataset` would use, shape ``(n,)``.
    """

    images: Iterator[NDArray[np.uint8]]
    labels: NDArray[np.str_]
    patients: NDArray[np.str_]
    paths: NDArray[np.str_]


def synthesize(config: SyntheticConfig) -> Synthesized:
    """Render a dataset without writing it.

    Examples
    --------
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
        items, _ = plan(config)
        for label in sorted({item.label for item in items}):
            (root / label).mkdir(exist_ok=True)
            if masks:
                (root / MASK_FOLDER / label).mkdir(parents=True, exist_ok=True)
        missing = [
            item
            for item in items
            if not (root / item.path).exists()
            or (masks and not (root / MASK_FOLDER / item.path).exists())
        ]
        joblib.Parallel(n_jobs=jobs, batch_size=16 if jobs != 1 else "auto")(
            joblib.delayed(_write_item)(root, config, item, masks) for item in missing
        )
    except OSError as error:
        raise DataError(
            f"{error.filename or root} cannot be written ({error.strerror}): choose another "
            "folder, or mend its permissions and free space."
        ) from error
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
        return
    if any(not entry.name.startswith(".") for entry in root.iterdir()):
        raise DataError(f"{root} holds other files: choose a new or empty folder.")
    _replace(root / TRUTH_FILE, truth.to_json().encode("utf-8"))


def _write_item(root: Path, config: SyntheticConfig, item: Item, masks: bool) -> None:
    smear = render_item(config, item)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    coded = cv2.imencode(".png", cv2.cvtColor(smear.image, cv2.COLOR_RGB2BGR), options)[1]
    _replace(root / item.path, coded.tobytes())
    if masks:
        coded = cv2.imencode(".png", smear.mask.astype(np.uint8) * 255)[1]
        _replace(root / MASK_FOLDER / item.path, coded.tobytes())


def _replace(path: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: the file is whole or not there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
