"""The colours of every plot and page. Readers with colour blindness can tell any two of them apart."""

from __future__ import annotations

BAR_COLOR = "#2a6fbb"
"""An importance, and a contribution that raises the output."""
LOWERING_COLOR = "#d9682b"
"""A contribution that lowers the output."""
NEUTRAL_COLOR = "#8c8c8c"
"""Categories, missing values, and items that were combined into one."""
INK_COLOR = "#1f2328"
"""Text on white."""
RULE_COLOR = "#b8bec6"
"""Axes, connectors and zero lines."""
CLASS_COLORS = ("#2a6fbb", "#e09f1f", "#2f9e77", "#c25a9b", "#6cb4e4", "#d9682b", "#6a5aa8")
"""One colour per class, the most important first; further classes share `NEUTRAL_COLOR`."""
SEQUENTIAL_COLORS = ("#6477ed", "#b161d2", "#db4daa", "#ee457d", "#ec5350", "#da6a27", "#ba8001")
"""Colours of feature values, low to high: by hue, with nearly the same lightness, so that the order is the same on white and
in a dark report, whose pictures have their lightness inverted."""
