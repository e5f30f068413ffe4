"""A page of sections (sentences, tables, pictures), written as Markdown and as one HTML file.

For results that are no run folder, such as a multiverse: the same content in both, every value escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leukbench._version import __version__
from leukbench.report.formats import data_uri, escape_markdown, markdown_table
from leukbench.report.html import asset, content_security_policy, environment


@dataclass(frozen=True)
class Section:
    """A heading (none for the opening), sentences, at most one picture and at most one table."""

    title: str
    sentences: Sequence[str] = ()
    picture: str = ""
    """File name of a picture without its ending; ``.png`` in Markdown, ``.svg`` in HTML."""
    caption: str = ""
    """What the picture or the table shows."""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    text_columns: int = 1
    """So many columns hold text, the others numbers."""


def sections_markdown(title: str, sections: Sequence[Section]) -> str:
    """Write the sections as Markdown."""
    lines = [f"# {escape_markdown(title)}", ""]
    for section in sections:
        if section.title:
            lines += [f"## {escape_markdown(section.title)}", ""]
        for sentence in section.sentences:
            lines += [escape_markdown(sentence), ""]
        if section.picture:
            lines += [f"![{escape_markdown(section.caption)}]({section.picture}.png)", ""]
        if section.rows:
            align = "l" * section.text_columns + "r" * (len(section.header) - section.text_columns)
            lines += [markdown_table(section.header, section.rows, align)]
    return "\n".join(lines).rstrip("\n") + "\n"


def sections_html(
    title: str, sections: Sequence[Section], pictures: Mapping[str, bytes], *, synthetic: bool
) -> str:
    """Write the sections as one HTML file that loads nothing; `pictures` are SVG by file name."""
    style = asset("report.css")
    sources = {
        name.removesuffix(".svg"): data_uri("image/svg+xml", content)
        for name, content in pictures.items()
        if name.endswith(".svg")
    }
    return (
        environment()
        .get_template("sections.html.j2")
        .render(
            title=title,
            sections=sections,
            sources=sources,
            synthetic=synthetic,
            version=__version__,
            policy=content_security_policy(style),
            style=Markup(style),  # it comes with the package
        )
    )
