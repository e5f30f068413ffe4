"""
Audit a folder of images
========================

Copies and overlapping fields of view let a model score without having learnt anything. The audit
finds them before anything is trained.
"""

# %%
# Render a small folder of smears, with two planted copies of each kind, so that the truth is known.

import tempfile
from pathlib import Path

from leukbench.data.folder import load_folder
from leukbench.data.synthetic import CopyPlan, SyntheticConfig, write_dataset

folder = Path(tempfile.mkdtemp()) / "smears"
copies = CopyPlan(exact=2, rotated=2, mirrored=2, recompressed=2, cropped=2, overlapping=2)
config = SyntheticConfig(images_per_class=20, patients_per_class=5, size=96, copies=copies)
write_dataset(folder, config)
dataset = load_folder(folder)
dataset.counts

# %%
# Audit it.

from leukbench.audit.audit import audit

report = audit(dataset)
print("\n".join(report.lines()))

# %%
# Every finding names its files.

report.to_frame().head(6)

# %%
# Look at one pair that the audit calls an overlap: two fields of one smear.

import matplotlib.pyplot as plt

overlap = next(finding for finding in report.findings if finding.kind == "overlapping-field")
figure, axes = plt.subplots(1, 2, figsize=(6, 3.2))
for axis, name in zip(axes, overlap.files, strict=True):
    axis.imshow(plt.imread(folder / name))
    axis.set_title(name, fontsize=9)
    axis.axis("off")

# %%
# Was everything found that was planted?

from leukbench.data.synthetic import load_truth

planted = {frozenset((pair.first, pair.second)) for pair in load_truth(folder).pairs}
found = {frozenset(finding.files) for finding in report.findings}
print(
    f"{len(planted & found)} of {len(planted)} planted pairs were found, {len(found - planted)} others"
)
