"""Model files fetched because the user typed `edgeprof fetch`: checked, and kept whole or not at all."""
