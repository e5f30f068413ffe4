"""A multiverse: every reading of an analysis that leaves choices open, and what they give together.

Steegen and others 2016, doi:10.1177/1745691616658637.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def run_multiverse(
    file: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    reuse: Sequence[str | Path] = (),
    jobs: int | None = None,
    skip_unreadable: bool = False,
) -> pd.DataFrame:
    """Run every universe of a definition, as ``leukbench multiverse`` does; gives ``universes.csv``.

    Finished trials are not run again, and no trial is run twice for two universes. A universe that fails
    leaves the others standing: its rows have the status ``failed``. `LeukbenchError` where the definition
    or the data do not fit, or every universe fails.

    Parameters
    ----------
    file
        Definition in TOML: protocol, models, seeds, copies of the images, and what is varied.
    data, out
        Folder of images, or of the copies that the definition names (None renders SYNTHETIC smears);
        folder of the results (``results/NAME``).
    reuse
        Folders below which run folders may hold trials that are finished already.
    jobs
        Trials side by side, of one core each (2 by default).
    skip_unreadable
        Leave out images that cannot be read.
    """
    from leukbench.multiverse.execute import ask, execute
    from leukbench.multiverse.tables import Results
    from leukbench.trials.local import SILENT

    asked = ask(
        file, data, out=out, reuse=reuse, jobs=jobs, skip_unreadable=skip_unreadable,
        command="leukbench.run_multiverse(...)",
    )  # fmt: skip
    return Results(execute(asked, SILENT, lambda text: None)).universes
