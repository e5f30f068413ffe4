"""What a run's models go by: slices, label errors, other views.

Everything is written to ``robustness/`` in the run folder; see `leukbench.robustness.folder`.
"""
