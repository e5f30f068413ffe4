"""The figures as the page holds them: embedded, drawings as SVG, pictures as JPEG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from leukbench.data.folder import find_root
from leukbench.errors import DataError
from leukbench.report.explanations import heat_maps, strip
from leukbench.report.figures import FIGURES, draw, possible
from leukbench.report.figures.style import rendered
from leukbench.report.results import Results

Images = Mapping[str, tuple[str, bytes]]
"""Figures by name, and heat maps by `strip_name`: media type and bytes."""

_QUALITY = 82


def figure_images(
    results: Results, images_root: Path | None = None
) -> dict[str, tuple[str, bytes]]:
    """Draw all figures for a page that is made alone."""
    images = {}
    for name in possible(results, images_root):
        form = "png" if _shows_pictures(name, images_root) else "svg"
        images[name] = _page_image(form, rendered(draw(results, name, images_root), form))
    return images | heat_strips(results, images_root)


def image_folder(results: Results, given: Path | None) -> Path | None:
    """Folder that the run's image paths start from, found as ``run-all --data`` finds it.

    Raises
    ------
    DataError
        Where it does not hold the run's images.
    """
    if given is None or results.folder.split.empty:
        return given
    image = str(results.folder.split["image"].iloc[0])
    folder = find_root(given) if given.is_dir() else given
    if not (folder / image).is_file():
        raise DataError(
            f"--images {given} does not hold {image}: name the folder that run-all was given."
        )
    return folder


def heat_strips(results: Results, images_root: Path | None) -> dict[str, tuple[str, bytes]]:
    """The heat maps of each network over its images, under the names that `strip_name` gives."""
    if images_root is None:
        return {}
    return {
        strip_name(model): ("image/jpeg", _jpeg(Image.fromarray(strip(results, maps, images_root))))
        for model, maps in heat_maps(results).items()
    }


def strip_name(model: str) -> str:
    """Name of the picture of a network's heat maps, which is no figure."""
    return f"gradcam/{model}"


def stored_images(files: Iterable[Path], images_root: Path | None) -> dict[str, tuple[str, bytes]]:
    """Take the figures of the page from what `leukbench.report.figures.write_figures` wrote."""
    images = {}
    for file in files:
        form = "png" if _shows_pictures(file.stem, images_root) else "svg"
        if file.suffix == f".{form}":
            images[file.stem] = _page_image(form, file.read_bytes())
    return images


def _shows_pictures(name: str, images_root: Path | None) -> bool:
    return name in FIGURES and (
        FIGURES[name].images == "required"
        or (FIGURES[name].images == "optional" and images_root is not None)
    )


def _page_image(form: str, data: bytes) -> tuple[str, bytes]:
    """Media type and bytes: drawings as SVG; pictures as JPEG, so that the page stays small."""
    if form == "svg":
        return "image/svg+xml", data
    with Image.open(io.BytesIO(data)) as picture:
        return "image/jpeg", _jpeg(picture.convert("RGB"))


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def embedded(images: Images) -> list[dict[str, str]]:
    """Return name, title, caption and data URI of each figure."""
    return [
        {
            "name": name,
            "title": FIGURES[name].title,
            "caption": FIGURES[name].caption,
            "source": data_uri(images[name]),
        }
        for name in images
        if name in FIGURES
    ]


def data_uri(image: tuple[str, bytes]) -> str:
    """An image as the page embeds it."""
    kind, data = image
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
