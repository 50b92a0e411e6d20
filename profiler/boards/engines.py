"""Engines for a board, in a folder of its own: nothing is compiled there, and its Python stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.boards import llama_cpp, wheels
from profiler.boards.deploy import Board, Tell
from profiler.boards.link import Link
from profiler.boards.wheels import Say
from profiler.errors import UserError, nearest

LLAMA_CPP = "llama-cpp"
KNOWN = (LLAMA_CPP, *wheels.NEEDS)
"""What can be put on a board."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Engines, by the words of `run --engine`, and the folders of this machine that they come from.

    Without `library` llama.cpp is this machine's own, without `wheels` the others come from the user's package index.
    """

    engines: Sequence[str]
    library: Path | None = None
    wheels: Path | None = None

    def check(self) -> None:
        """Raises `UserError` for an engine that is not put on boards, and for a folder that no engine here asks for."""
        unknown = next((engine for engine in self.engines if engine not in KNOWN), None)
        if unknown is not None:
            raise UserError(f"--engine {unknown}: {nearest(unknown, KNOWN)}")
        if self.library is not None and LLAMA_CPP not in self.engines:
            raise UserError(f"--library is llama.cpp's: add {LLAMA_CPP} to --engine, or leave it out")
        if self.wheels is None:
            return
        if set(self.engines) == {LLAMA_CPP}:
            raise UserError(
                f"--wheels is of {' and '.join(wheels.NEEDS)}: name one with --engine, or leave it out"
            )
        if not self.wheels.is_dir():
            raise UserError(
                f"--wheels {self.wheels.name} is no folder: name one that holds wheels for the board"
            )


def command(host: str, engine: str) -> str:
    """What puts this engine on a board."""
    return f"edgeprof board setup {host}" + ("" if engine == LLAMA_CPP else f" --engine {engine}")


def put(link: Link, board: Board, wanted: Wanted, tell: Tell, say: Say) -> list[str]:
    """The engines are there; what each is, with its version. Raises `UserError` where there is none for the board."""
    titles = []
    if LLAMA_CPP in wanted.engines:
        version = llama_cpp.put(link, board, wanted.library, tell)
        titles.append(f"llama.cpp of {llama_cpp.DISTRIBUTION} {version}")
    others = [engine for engine in wanted.engines if engine in wheels.NEEDS]
    return titles + (wheels.put(link, board, others, wanted.wheels, tell, say) if others else [])
