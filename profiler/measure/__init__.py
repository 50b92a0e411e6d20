"""From a plan to a run file: rounds of fresh workers."""
