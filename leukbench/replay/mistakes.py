"""The named mistakes: what each is, where it is described, and which two readings it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leukbench.errors import UsageError, did_you_mean
from leukbench.models.registry import ModelSpec
from leukbench.replay.trainings import HONEST, Material

Scored = Literal["test", "everything", "best-epoch"]

_TAXONOMY = "Kapoor and Narayanan 2023, doi:10.1016/j.patter.2023.100804"


@dataclass(frozen=True)
class Reading:
    """A number: a training, and what of its predictions is scored."""

    training: str
    scored: Scored = "test"


@dataclass(frozen=True)
class Mistake:
    """A known leaky evaluation."""

    name: str
    """On the command line."""
    title: str
    """In tables."""
    what: str
    """What is done wrong, and what the honest number beside it is, in a sentence or two."""
    source: str
    """Where the mistake is described."""
    honest: Reading
    replayed: Reading

    def impossible(self, material: Material, spec: ModelSpec) -> str:
        """Why it cannot be shown with these images and this model, in one sentence, or nothing."""
        if self.replayed.scored == "best-epoch" and spec.framework != "keras":
            return f"{spec.title} is not trained in epochs, so there is no best one to choose."
        if self.name == "duplicates" and not material.partners.any():
            return "The audit found no duplicate or overlap of a test image outside the test part."
        if self.name == "segmented_by_label" and material.segmented is None:
            return "These images are not segmented: give a folder of segmented ones, such as Segmented."
        return ""


MISTAKES = {
    mistake.name: mistake
    for mistake in (
        Mistake(
            "trained_on_test",
            "Trained on the test part",
            "A test part is split off, then fit(X, y, validation_split=...) gets all images, so that "
            "most test images are trained on. Keras sets the last share of X aside before it shuffles.",
            f"{_TAXONOMY}, L1.1 (no test set); Keras, Model.fit, validation_split",
            honest=Reading(HONEST),
            replayed=Reading("trained-on-test"),
        ),
        Mistake(
            "multiplied_before_split",
            "Augmented before the split",
            "Mirrored views of all images are made before the split, so that views of one image stand "
            "in training and test. Honest: the split comes first, training images alone are multiplied.",
            f"{_TAXONOMY}, L1.4 (duplicates)",
            honest=Reading("split-then-multiplied"),
            replayed=Reading("multiplied-then-split"),
        ),
        Mistake(
            "scored_on_everything",
            "Scored on everything",
            "The accuracy is that on all images, training ones included.",
            f"{_TAXONOMY}, L1.1 (no test set)",
            honest=Reading(HONEST),
            replayed=Reading(HONEST, "everything"),
        ),
        Mistake(
            "best_epoch_on_test",
            "Best epoch chosen on the test part",
            "The accuracy is that of the epoch in which it was highest on the test part; honest is the "
            "epoch that the protocol keeps.",
            "Varma and Simon 2006, doi:10.1186/1471-2105-7-91 (choice by the error that is reported)",
            honest=Reading(HONEST),
            replayed=Reading(HONEST, "best-epoch"),
        ),
        Mistake(
            "scaled_before_split",
            "Scaled before the split",
            "Mean and deviation of each pixel are taken over all images, test ones included. A network "
            "has no such step of its own: it stands in front of it on both sides.",
            f"{_TAXONOMY}, L1.2 (preprocessing on training and test set)",
            honest=Reading("scaled-by-training"),
            replayed=Reading("scaled-by-all"),
        ),
        Mistake(
            "selected_before_split",
            "Features selected before the split",
            "The tenth of the pixels that tells classes apart best is chosen with the labels of all "
            "images. A network has no such step of its own: other pixels are black on both sides.",
            f"Ambroise and McLachlan 2002, doi:10.1073/pnas.102102699; {_TAXONOMY}, L1.3 (feature "
            "selection on training and test set)",
            honest=Reading("selected-by-training"),
            replayed=Reading("selected-by-all"),
        ),
        Mistake(
            "duplicates",
            "Duplicates left across the split",
            "Duplicates and overlaps of test images, as the audit finds them, are trained on. Honest: "
            "they leave the training part; as many others leave it on the replayed side.",
            f"{_TAXONOMY}, L1.4 (duplicates)",
            honest=Reading("without-partners"),
            replayed=Reading("with-partners"),
        ),
        Mistake(
            "segmented_by_label",
            "Segmentation that uses the label",
            "Cells are cut out with a setting for each class: here a pixel closer for each next "
            "class. Honest: one setting for all.",
            f"{_TAXONOMY}, L2 (features that are not legitimate)",
            honest=Reading("segmented"),
            replayed=Reading("segmented-by-label"),
        ),
    )
}


def chosen_mistakes(names: Sequence[str] | None) -> list[Mistake]:
    """Mistakes by name, in the order of the tables; all of them where none is named."""
    for name in names or ():
        if name not in MISTAKES:
            raise UsageError(
                f"`mistakes={name}` is unknown{did_you_mean(name, MISTAKES)}: "
                f"take some of {', '.join(MISTAKES)}."
            )
    return [mistake for name, mistake in MISTAKES.items() if names is None or name in names]
