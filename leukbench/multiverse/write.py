"""What a multiverse leaves besides its predictions: tables, Markdown, the picture, and one HTML page."""

from __future__ import annotations

from pathlib import Path

from leukbench.files import write_bytes, write_text
from leukbench.multiverse.figure import curve_files
from leukbench.multiverse.folder import MultiverseFolder
from leukbench.multiverse.statistics import class_recall, pairs, spread, variance
from leukbench.multiverse.tables import Results
from leukbench.multiverse.words import heading, sections_of
from leukbench.report.sections import sections_html, sections_markdown

MARKDOWN, PAGE = "multiverse.md", "multiverse.html"


def texts_of(results: Results) -> dict[str, str]:
    """The content of every table and of the Markdown, by file."""
    tables = {
        "universes.csv": results.universes,
        "spread.csv": spread(results),
        "variance.csv": variance(results),
        "pairs.csv": pairs(results),
        "recall.csv": class_recall(results),
    }
    texts = {name: table.to_csv(index=False, lineterminator="\n") for name, table in tables.items()}
    return texts | {MARKDOWN: sections_markdown(heading(results.folder), sections_of(results))}


def write_results(folder: MultiverseFolder) -> list[Path]:
    """Write tables, Markdown, picture and page of a multiverse from its stored predictions."""
    results = Results(folder)
    texts, pictures = texts_of(results), curve_files(results)
    texts[PAGE] = sections_html(
        heading(folder), sections_of(results), pictures, synthetic=folder.synthetic
    )
    for name, text in texts.items():
        write_text(folder.path / name, text)
    for name, data in pictures.items():
        write_bytes(folder.path / name, data)
    return [folder.path / name for name in (*texts, *pictures)]
