"""
Compare the models of a run
===========================

A run folder opens in Python without TensorFlow and without the images.
"""

# %%
# Open the committed example: ten models and six probes on rendered smears.

from pathlib import Path

import leukbench

run = leukbench.Run.load(Path("../../results/synthetic-example").resolve())
run

# %%
# What do the numbers say? Warnings come first.

for sentence in run.verdict():
    print("-", sentence)

# %%
# One row for each model, best first. The interval counts each test image once.

table = run.comparison()
columns = ["title", "accuracy", "accuracy_low", "accuracy_high", "recall", "specificity", "f1"]
table.loc[table["family"] != "probe", columns].round(3)

# %%
# Which differences are more than chance? `letters` gives models that cannot be told apart a letter in
# common. All pairs are tested on the same images, with Holm's correction.

from leukbench.score.comparisons import compare

models = [trial for trial in run.folder.trials() if trial.family != "probe"]
compared = compare(models)
compared.groups.round(3)

# %%
# The five pairs with the smallest p-values.

columns = ["model_a", "model_b", "difference", "low", "high", "p_holm"]
compared.pairs.sort_values("p_holm")[columns].head().round(3)
