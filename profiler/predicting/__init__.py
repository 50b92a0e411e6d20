"""What a model would take and how fast it would be, before it is there."""
