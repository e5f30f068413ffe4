"""A figure of your own: how much accuracy varies from fold to fold."""

from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import new_figure
from leukbench.report.results import Results


def fold_accuracy(results: Results) -> Figure:
    figure = new_figure(7.6, 3.4)
    ax = figure.subplots()
    for name in results.ranked["model"]:
        trials = results.members[name].members
        accuracy = [100 * trial.arrays.correct.mean() for trial in trials]
        ax.plot([trial.fold for trial in trials], accuracy, "o", label=results.titles[name])
    ax.set_xlabel("fold")
    ax.set_ylabel("accuracy, percent")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


FOLD_ACCURACY = FigureSpec(
    name="fold_accuracy",
    title="Accuracy of each fold",
    caption="One point per trial: accuracy on the test images of its fold, one colour per model.",
    draw=fold_accuracy,
    possible=lambda results: len(results.folds) > 1 and bool(results.trials),
)
