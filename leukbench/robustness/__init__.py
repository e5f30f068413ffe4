"""What a run's models go by and what they bear: slices, label errors, corruptions, other views.

Everything is written to ``robustness/`` in the run folder; see `leukbench.robustness.folder`.
"""
