"""Tables, figures and the page of a run, from its stored predictions alone."""

from __future__ import annotations

import gc
from pathlib import Path


def write_report(path: Path, images: Path | None = None) -> list[Path]:
    """Write all tables, all figures and ``report.html`` of a run folder into it; return their paths.

    ``images`` is the folder of the images, as ``run-all --data`` was given it, for the figures that show
    some; without it no picture of a cell is written.

    `DataError` where `path` is no run folder, a file of it is damaged, it cannot be written, or
    `images` does not hold the run's images.
    """
    from leukbench.files import write_text
    from leukbench.report.figures import write_figures
    from leukbench.report.html import figure_sources, render_report
    from leukbench.report.results import Results
    from leukbench.report.tables import write_tables
    from leukbench.runfolder import RunFolder

    enabled = gc.isenabled()
    gc.disable()  # figures are a million small objects: looking for garbage took a tenth of the time
    try:
        folder = RunFolder(path)
        results = Results(folder)
        strips: dict[str, str] = {}
        if images is not None:
            from leukbench.report.images import heat_strips, image_folder

            images = image_folder(results, images)
            strips = heat_strips(results, images)
        tables = write_tables(folder, results)
        figures = write_figures(folder, images, results)
        page = path / "report.html"
        write_text(page, render_report(results, figure_sources(figures, images) | strips))
        return [*tables, *figures, page]
    finally:
        if enabled:
            gc.enable()
