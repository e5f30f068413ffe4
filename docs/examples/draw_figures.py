"""
Draw a figure
=============

Every figure of the report is a matplotlib figure, drawn from the stored predictions.
"""

# %%
# Which figures can be drawn of this run?

from pathlib import Path

import leukbench

run = leukbench.Run.load(Path("../../results/synthetic-example").resolve())
run.figure_names()

# %%
# Accuracy with its interval, and the published values: a star was measured on this data set, a
# diamond on another.

figure = run.figure("comparison")

# %%
# Confusion matrices: rows are true classes, columns predicted ones.

figure = run.figure("confusion")

# %%
# The numbers behind a figure are data frames.

run.confusion("svm_rbf").astype(int)

# %%
# Nothing keeps you from drawing your own.

import matplotlib.pyplot as plt

history = run.history("googlenet")
axes = history.plot(x="epoch", y=["accuracy", "val_accuracy"], figsize=(6, 3.5), ylim=(0, 1))
axes.set_title("GoogLeNet on SYNTHETIC smears")
plt.tight_layout()
