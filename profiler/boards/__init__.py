"""Runs on boards that are reached over SSH: what is asked from here, and what answers there."""
