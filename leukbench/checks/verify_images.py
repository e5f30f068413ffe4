"""Whether a folder still holds the images that a run was made of: every byte is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leukbench.checks.verify_tables import Difference
from leukbench.data.folder import find_root
from leukbench.data.layout import walk
from leukbench.errors import UsageError
from leukbench.records import file_sha256
from leukbench.runfolder import RunFolder


def verify_images(path: Path, images: Path) -> Iterator[Difference]:
    """Name every image that is missing, has other bytes, or is new since the run in `path`."""
    folder = RunFolder(path)
    outside = folder.run.outside
    if outside is not None and outside.kind == "predictions":
        raise UsageError(
            f"{path} was scored from tables of predictions, so that the bytes of its images are not "
            "known: leave `images` out."
        )
    stored = dict(zip(folder.split["image"], folder.split["sha256"], strict=True))
    root = find_root(images)
    for image, sha256 in stored.items():
        file = root / image
        if not file.is_file():
            yield Difference(image, f"is not in {images}")
        elif file_sha256(file) != sha256:
            yield Difference(image, f"has other bytes in {images} than in the run")
    if any("/" in image for image in stored):
        skipped = {Path(one.path).name for one in folder.run.dataset.skipped}
        for image in walk(root).images:
            if "/" in image and image not in stored and Path(image).name not in skipped:
                yield Difference(image, f"is in {images} and was not in the run")
