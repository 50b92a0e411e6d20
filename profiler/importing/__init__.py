"""Figures of other tools, taken over where their definition is ours, and refused with a reason where it is not."""
