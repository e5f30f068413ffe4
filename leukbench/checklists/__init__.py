"""Reporting checklists and cards of a run: what its records answer, and what is left to the authors."""
