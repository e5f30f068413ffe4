"""
Check a published table
=======================

Rounded percentages come from whole numbers of images. So a printed row can be impossible, whatever
the test set was.
"""

# %%
# Two printed rows of binary results, written down exactly as they are printed.

import tempfile
from pathlib import Path

from leukbench.published import check_table

folder = Path(tempfile.mkdtemp())
table = folder / "table.csv"
table.write_text(
    "algorithm,accuracy,precision,recall,specificity,f1\n"
    "Model A,90.1,84.88,93.58,87.5,89.01\n"
    "Model B,73.02,89.47,53.12,65.9,66.66\n"
)
report = check_table(str(table), kind="binary")
print("\n".join(report.lines()))

# %%
# Model A is possible: the check names the smallest test set that prints it. Model B is not: its
# "specificity" is another quantity. The verdicts are data, too:

[row.status for row in report.rows]

# %%
# The table of Keerthivasan and Saranya 2023 comes with leukbench. What its rows say together:

for finding in check_table("paper").findings[:5]:
    print("-", finding.text)
