"""Benchmarks of edgeprof itself, and the models they and the demo run on."""
