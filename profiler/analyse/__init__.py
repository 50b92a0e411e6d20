"""From a run file to figures: pure functions, no files, clocks, prints or engines."""
