"""What runs on a board: standard library alone, Python 3.9 and later. `boards/sent.py` sends it there as one source."""
