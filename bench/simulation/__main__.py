"""`python -m bench.simulation`: all tables, on all cores."""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

from bench.simulation import tables

PAIRS, OTHERS = 2000, 1000


def main() -> None:
    """Print the tables as Markdown, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, help="write the tables here instead of printing them")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="sessions of equal builds for each machine")
    parser.add_argument("--others", type=int, default=OTHERS, help="sessions of every other kind")
    wanted = parser.parse_args()
    with multiprocessing.Pool() as pool:
        text = tables.document(pool, wanted.pairs, wanted.others) + "\n"
    if wanted.output is None:
        print(text)
    else:
        wanted.output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
