"""Known leaky evaluations, replayed: what an honest number becomes when a named mistake is made.

A replay shows a possible origin of a published value. It is never an accusation, and never a result:
its numbers carry the word LEAKY wherever they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def replay(
    data: str | Path | None = None,
    model: str = "modified_cnn",
    *,
    out: str | Path | None = None,
    protocol: Any = "paper",
    seeds: Sequence[int] | None = None,
    mistakes: Sequence[str] | None = None,
    epochs: int | None = None,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Replay known mistakes on a folder of images, as ``leukbench replay`` does; gives its table.

    Trainings that are finished in `out` are not run again. The columns of the table are those of
    ``replay-LEAKY.csv``; what was measured with a mistake is text that begins with LEAKY.
    `LeukbenchError` where data, protocol, model or a mistake does not fit.

    Parameters
    ----------
    data, out
        Folder of images (None renders SYNTHETIC smears with planted copies); folder of the replay
        (``results/DATASET-replay``).
    model, protocol, seeds
        Name of a model; name, file or object of a protocol, of which fold 0 is taken; seeds.
    mistakes
        Names of `leukbench.replay.mistakes.MISTAKES`; None takes all.
    epochs, jobs
        Change the protocol's epochs; trainings side by side, of one core each (2 by default).
    """
    from leukbench.replay.execute import ask, execute
    from leukbench.replay.tables import table_of
    from leukbench.trials.local import SILENT

    asked = ask(
        data, model, out=out, protocol=protocol, seeds=seeds, mistakes=mistakes, epochs=epochs,
        jobs=jobs, command="leukbench.replay.replay(...)",
    )  # fmt: skip
    return table_of(execute(asked, SILENT))
