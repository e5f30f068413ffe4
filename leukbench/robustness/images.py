"""The images of a run again: found where they lie, and read only where their bytes are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from leukbench.data.decode import decode_image, image_bytes
from leukbench.data.folder import find_root
from leukbench.errors import DataError
from leukbench.runfolder import RunFolder

Image = NDArray[np.uint8]
Measured = TypeVar("Measured")


class RunImages:
    """Images of a run below the folder `data`; `DataError` where it does not hold them."""

    def __init__(self, folder: RunFolder, data: Path) -> None:
        rows = folder.split.drop_duplicates("image")
        self.data = data
        self.sha256 = dict(zip(rows["image"], rows["sha256"], strict=True))
        if not data.is_dir():
            raise DataError(f"`data={data}` is no folder: name the one that run-all was given.")
        self.root = find_root(data)

    def read(self, image: str) -> Image:
        """Decode one image (blue, green, red), whose bytes must be those of the run."""
        path = self.root / image
        try:
            content = image_bytes(path)
        except OSError as error:
            raise DataError(
                f"`data={self.data}` does not hold {image}: name the folder that run-all was given."
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256[image]:
            raise DataError(
                f"{path} has other bytes than in the run: name the folder that run-all was given."
            )
        return decode_image(content, path)

    def each(
        self, images: Sequence[str], measure: Callable[[Image], Measured], jobs: int = -1
    ) -> list[Measured]:
        """Measure every image, in threads, in the order given."""
        done: list[Measured] = Parallel(n_jobs=jobs, prefer="threads")(
            delayed(lambda name: measure(self.read(name)))(image) for image in images
        )
        return done
