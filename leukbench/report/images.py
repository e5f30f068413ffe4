"""The figures as the page holds them: embedded, drawings as SVG, pictures as JPEG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from leukbench.report.figures import FIGURES, draw, possible
from leukbench.report.figures.style import rendered
from leukbench.report.results import Results

Images = Mapping[str, tuple[str, bytes]]
"""Figures by name: media type and bytes."""

_QUALITY = 82


def figure_images(
    results: Results, images_root: Path | None = None
) -> dict[str, tuple[str, bytes]]:
    """Draw all figures for a page that is made alone."""
    images = {}
    for name in possible(results, images_root):
        form = "png" if _shows_pictures(name, images_root) else "svg"
        images[name] = _page_image(form, rendered(draw(results, name, images_root), form))
    return images


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
    stream = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    return "image/jpeg", stream.getvalue()


def embedded(images: Images) -> list[dict[str, str]]:
    """Return name, title, caption and data URI of each figure."""
    return [
        {
            "name": name,
            "title": FIGURES[name].title,
            "caption": FIGURES[name].caption,
            "source": f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}",
        }
        for name, (kind, data) in images.items()
    ]
