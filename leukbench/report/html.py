"""The page of a run: one file that asks nothing of any other host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leukbench._version import __version__
from leukbench.report.figures import FIGURES
from leukbench.report.formats import data_uri
from leukbench.report.page import page
from leukbench.report.results import Results


def render_report(results: Results, sources: Mapping[str, str]) -> str:
    """Return the page as HTML; every value of the run is escaped.

    `sources` are the images as data URIs: `figure_sources`, and heat maps by
    `leukbench.report.what_models_use.strip_name`.
    """
    style, script = asset("report.css"), asset("report.js")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            page(results, sources),
            figures=[(spec, sources[spec.name]) for spec in FIGURES if spec.name in sources],
            version=__version__,
            policy=content_security_policy(style, script),
            # both come with the package and hold nothing of the run
            style=Markup(style),
            script=Markup(script),
        )
    )


def figure_sources(files: Iterable[Path], images_root: Path | None) -> dict[str, str]:
    """Embed what `leukbench.report.figures.write_figures` wrote: SVG, or JPEG where it shows cells."""
    with_cells = {spec.name for spec in FIGURES if spec.shows_cells(images_root)}
    sources = {}
    for file in files:
        if file.suffix == ".svg" and file.stem not in with_cells:
            sources[file.stem] = data_uri("image/svg+xml", file.read_bytes())
        elif file.suffix == ".png" and file.stem in with_cells:
            from PIL import Image

            from leukbench.report.images import jpeg_uri

            with Image.open(file) as picture:
                sources[file.stem] = jpeg_uri(picture)
    return sources


def environment() -> Environment:
    """Templates of pages: every value is escaped, a missing one is an error."""
    return Environment(
        loader=PackageLoader("leukbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def content_security_policy(style: str, script: str = "") -> str:
    """Allow this style, this script (to the letter) and embedded images; nothing else, no host."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash(style)}'",
            *([f"script-src '{_hash(script)}'"] if script else []),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def asset(name: str) -> str:
    """A style or script that comes with the package."""
    folder = resources.files("leukbench.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
