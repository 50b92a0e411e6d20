"""From figures to something to read."""
