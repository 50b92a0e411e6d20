"""Builds with the real shape of a model and none of its weights."""
