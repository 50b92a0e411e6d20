"""What verifying has shown, as lines for the screen."""

from __future__ import annotations

from profiler.evidence.checks import Verified
from profiler.render.format import plain, short

WORDS = {True: "ok", False: "FAILED", None: "-"}
INDENT = " " * 19
MOST_SHOWN, LONGEST = 20, 1000
"""Sentences of one check, and characters of one of them."""


def lines(verified: Verified) -> list[str]:
    """One line for each check, what was found below it, and the conclusion."""
    edgeprof = plain(short(verified.edgeprof, LONGEST))
    shown = [
        f"{plain(verified.file)}: {verified.members} files, made by edgeprof {edgeprof}",
        "",
    ]
    for check in verified.checks:
        first, *rest = [plain(short(sentence, LONGEST)) for sentence in check.found]
        shown.append(f"{WORDS[check.passed]:<6}  {check.name:<9}  {first}")
        shown += [f"{INDENT}{sentence}" for sentence in rest[:MOST_SHOWN]]
        shown += [f"{INDENT}and {len(rest) - MOST_SHOWN} more"] if len(rest) > MOST_SHOWN else []
    end = "It holds." if verified.holds else "It does not hold: do not rely on it."
    return [*shown, "", f"SHA-256 of manifest.json: {verified.manifest_sha256}", end]
