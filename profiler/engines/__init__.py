"""Engines. Everything here runs inside the worker: standard library plus one engine, Python 3.9 syntax."""
