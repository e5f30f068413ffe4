"""Names of the shortcut probes, readable without importing what carries them out."""

from __future__ import annotations

PROBES: dict[str, str] = {
    "probe_colour": "Probe: mean and spread of colour",
    "probe_corner": "Probe: lower right corner",
    "probe_corners": "Probe: all four corners",
    "probe_size": "Probe: image size",
    "probe_background": "Probe: background without leukocytes",
    "probe_shuffled": "Control: colour with shuffled labels",
}
"""Name and title of each probe, in the order of the tables."""
