"""Speed and memory of leukbench, as ratios to what a user would write or run instead.

``python -m benchmarks --help`` tells how to repeat the table in ``benchmarks/README.md``.
"""
