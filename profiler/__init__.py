"""edgeprof: how fast a language model runs on this device, and how sure that is."""

__version__ = "0.1.0"
