"""What a multiverse leaves besides its predictions: tables, Markdown and the picture."""

from __future__ import annotations

from pathlib import Path

from leukbench.files import write_bytes, write_text
from leukbench.multiverse.figure import curve_files
from leukbench.multiverse.folder import MultiverseFolder
from leukbench.multiverse.tables import Results
from leukbench.multiverse.words import markdown_of

PAGE = "multiverse.md"


def texts_of(results: Results) -> dict[str, str]:
    """The content of every table and of the Markdown, by file."""
    tables = {"universes.csv": results.universes}
    texts = {name: table.to_csv(index=False, lineterminator="\n") for name, table in tables.items()}
    return texts | {PAGE: markdown_of(results)}


def write_results(folder: MultiverseFolder) -> list[Path]:
    """Write tables, Markdown and picture of a multiverse from its stored predictions."""
    results = Results(folder)
    texts, pictures = texts_of(results), curve_files(results)
    for name, text in texts.items():
        write_text(folder.path / name, text)
    for name, data in pictures.items():
        write_bytes(folder.path / name, data)
    return [folder.path / name for name in (*texts, *pictures)]
