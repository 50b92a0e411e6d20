"""Everything that follows from a bundle's run files, computed anew and compared with what lies in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from profiler import __version__
from profiler.documents.limits import Limits
from profiler.evidence import manifest as man
from profiler.evidence.contents import Input, origin, pages, written
from profiler.evidence.figures import alike, figures

COMPUTED = "plans and reports are what the run files give, computed anew"
UNTRUE = f"{man.MANIFEST} does not say what follows from the run files"
OWN = (man.MANIFEST, man.SIGNATURE, man.SUMS)
"""What describes the others."""

Contents = Mapping[str, bytes]


def changes(
    described: man.Manifest, found: Contents, given: Sequence[Input], limits: Limits | None
) -> tuple[list[str], list[str]]:
    """What is not as it is computed now; and, if all is, what was compared and how far."""
    anew = written(given, limits)
    if described.origins != [origin(one) for one in given]:
        return [UNTRUE], []
    compare = _to_the_byte if described.edgeprof == __version__ else _by_figures
    wrong, said = compare(described, found, anew, given)
    drawn = [path for path in pages(given) if path in found]
    return wrong, said + [
        f"{path}: by its hash only, pages with charts are not drawn again" for path in drawn
    ]


def _to_the_byte(
    described: man.Manifest, found: Contents, anew: Contents, given: Sequence[Input]
) -> tuple[list[str], list[str]]:
    """What this version wrote, it writes again."""
    wrong = [*_unlike(found, anew)]
    expected = {*anew, *pages(given), *OWN}
    wrong += [f"{name} does not follow from the run files" for name in sorted(set(found) - expected)]
    if not wrong and man.encode(_manifest(described, found)) != found[man.MANIFEST]:
        wrong = [UNTRUE]
    return wrong, [COMPUTED, *_last_digits(found, anew)]


def _unlike(found: Contents, anew: Contents) -> Iterator[str]:
    for name, content in anew.items():
        if name not in found:
            yield f"{name} follows from the run files and is missing"
        elif found[name] != content and not _alike(found[name], content):
            yield f"{name} is not what its run file gives"


def _alike(one: bytes, other: bytes) -> bool:
    try:
        return alike(one.decode(), other.decode())
    except UnicodeDecodeError:
        return False


def _manifest(described: man.Manifest, found: Contents) -> man.Manifest:
    """What the manifest has to say of these members."""
    listed = {name: content for name, content in found.items() if name not in OWN}
    return man.manifest(
        described.edgeprof, described.origins, listed, described.not_rendered, described.signer
    )


def _last_digits(found: Contents, anew: Contents) -> list[str]:
    unlike = sorted(name for name, content in anew.items() if found.get(name) != content)
    return [f"{name}: equal but for last digits, which processors compute differently" for name in unlike]


def _by_figures(
    described: man.Manifest, found: Contents, anew: Contents, given: Sequence[Input]
) -> tuple[list[str], list[str]]:
    """Reports of another version may look different; their figures have to be the same."""
    reports = [f"reports/{one.stem}.json" for one in given]
    wrong = [f"{name} is missing" for name in reports if name not in found]
    told = {name: figures(found[name], anew[name]) for name in reports if name in found}
    compared = told.values()
    wrong += [f"{name} has other rows than its run file" for name, one in told.items() if not one.rows]
    wrong += [f"{figure} is not what its run file gives" for one in compared for figure in one.unequal]
    others = sorted(set(found) - {*reports, *pages(given), *OWN})
    unlike = [name for name in others if name not in anew or not _alike(found[name], anew[name])]
    same, alone = sum(one.same for one in compared), sum(one.alone for one in compared)
    said = [
        f"made by edgeprof {described.edgeprof}; {__version__} computes the same {same} figures from the run files",
        *([f"{alone} figures were not compared: only one of the two versions has them"] if alone else []),
    ]
    return wrong, said + [f"{name}: by its hash only, this version writes it differently" for name in unlike]
