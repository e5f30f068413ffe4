"""Pictures of cells: read at the size of a figure, laid under heat maps, embedded as JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leukbench.data.folder import find_root
from leukbench.data.preprocess import preprocess_image, read_image
from leukbench.errors import DataError
from leukbench.report.formats import data_uri
from leukbench.report.results import Results
from leukbench.report.what_models_use import strip_name
from leukbench.runfolder import HeatMaps

LARGEST = 224
_QUALITY = 82


def image_folder(results: Results, given: Path) -> Path:
    """Folder that the run's image paths start from, found as ``run-all --data`` finds it.

    `DataError` where it does not hold the run's images.
    """
    if results.folder.split.empty:
        return given
    image = str(results.folder.split["image"].iloc[0])
    folder = find_root(given) if given.is_dir() else given
    if not (folder / image).is_file():
        raise DataError(
            f"`images={given}` does not hold {image}: name the folder that run-all was given."
        )
    return folder


def reduced(path: Path) -> NDArray[np.uint8]:
    """Read an image: red, green, blue, at most 224 pixels wide and high."""
    image = read_image(path)
    scale = LARGEST / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[:, :, ::-1])


def picture_of(results: Results, path: Path) -> NDArray[np.uint8]:
    """An image as its heat map sees it: whole, or what was cut out of it where the protocol crops."""
    settings = results.folder.run.protocol.preprocessing
    if not settings.crop:
        return reduced(path)
    seen = preprocess_image(read_image(path), settings)
    return np.repeat(seen, 3, axis=2) if seen.shape[2] == 1 else seen


def overlaid(picture: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, uint8 of shape (height, width, 3), under a heat map, which is stretched over it."""
    size = (picture.shape[1], picture.shape[0])
    stretched = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(stretched, cv2.COLORMAP_VIRIDIS)[:, :, ::-1]
    return np.asarray(cv2.addWeighted(picture, 0.5, np.ascontiguousarray(colours), 0.5, 0.0))


def heat_strip(
    results: Results, maps: HeatMaps, images_root: Path, side: int = 180
) -> NDArray[np.uint8]:
    """The images of one network in a row, and below them the same under their heat."""
    columns = []
    for image, heat in zip(maps.images, maps.heat, strict=True):
        picture = picture_of(results, images_root / image)
        both = (picture, overlaid(picture, heat))
        columns.append(np.concatenate([cv2.resize(one, (side, side)) for one in both], axis=0))
    return np.asarray(np.concatenate(columns, axis=1))


def heat_strips(results: Results, images_root: Path) -> dict[str, str]:
    """The heat maps of each network over its images, as the page embeds them, by `strip_name`."""
    return {
        strip_name(model): jpeg_uri(Image.fromarray(heat_strip(results, maps, images_root)))
        for model, maps in results.heat_maps.items()
    }


def jpeg_uri(picture: Image.Image) -> str:
    """A picture as the page embeds it: JPEG, so that the page stays small."""
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    return data_uri("image/jpeg", stream.getvalue())
