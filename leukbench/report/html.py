"""The page of a run: one file that asks nothing of any other host."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leukbench._version import __version__
from leukbench.files import write_text
from leukbench.report.images import Images, figure_images
from leukbench.report.page import page
from leukbench.report.results import Results
from leukbench.runfolder import RunFolder


def make_report(
    folder: RunFolder, results: Results | None = None, images: Images | None = None
) -> Path:
    """Write ``report.html`` into the run folder.

    Parameters
    ----------
    folder : RunFolder
    results : Results, optional
        Of the same folder, where they were computed already.
    images : mapping, optional
        Figures that were drawn already, by name: media type and bytes.

    Returns
    -------
    Path
        The page, written whole.
    """
    results = results or Results(folder)
    images = figure_images(results) if images is None else images
    path = folder.path / "report.html"
    write_text(path, render_report(results, images))
    return path


def render_report(results: Results, images: Images) -> str:
    """Return the page as HTML; every value of the run is escaped."""
    style, script = _asset("report.css"), _asset("report.js")
    environment = Environment(
        loader=PackageLoader("leukbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        page(results, images),
        version=__version__,
        policy=content_security_policy(style, script),
        # both come with the package and hold nothing of the run
        style=Markup(style),
        script=Markup(script),
    )


def content_security_policy(style: str, script: str) -> str:
    """Allow this style, this script and embedded images; nothing else, no other host.

    Parameters
    ----------
    style, script : str
        Text between the tags, to the letter.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _asset(name: str) -> str:
    folder = resources.files("leukbench.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
