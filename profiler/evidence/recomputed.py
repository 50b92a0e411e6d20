"""Everything that follows from a bundle's run files, computed anew and compared with what lies in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from profiler import __version__
from profiler.documents.limits import Limits
from profiler.evidence import manifest as man
from profiler.evidence.contents import Input, origin, pages, written
from profiler.evidence.figures import alike, differing

COMPUTED = "plans and reports are what the run files give, computed anew"

Contents = Mapping[str, bytes]


def changes(
    described: man.Manifest, found: Contents, given: Sequence[Input], limits: Limits | None
) -> tuple[list[str], list[str]]:
    """What is not as it is computed now; and, if all is, what was compared and how far."""
    anew = written(given, limits).contents
    drawn = [
        f"{path}: by its hash only, pages with charts are not drawn again"
        for path in pages(given)
        if path in found
    ]
    if described.edgeprof != __version__:
        wrong, said = _by_figures(described, found, anew, given)
        return wrong, said + drawn
    wrong = [*_unlike(found, anew)]
    expected = {*anew, *pages(given), man.MANIFEST, man.SIGNATURE, man.SUMS}
    wrong += [f"{name} does not follow from the run files" for name in sorted(set(found) - expected)]
    if not wrong and man.encode(_manifest(described, found, given)) != found[man.MANIFEST]:
        wrong = [f"{man.MANIFEST} does not say what follows from the run files"]
    return wrong, [COMPUTED, *_last_digits(found, anew), *drawn]


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


def _manifest(described: man.Manifest, found: Contents, given: Sequence[Input]) -> man.Manifest:
    """What the manifest has to say of these members."""
    own = (man.MANIFEST, man.SIGNATURE, man.SUMS)
    listed = {name: content for name, content in found.items() if name not in own}
    return man.manifest(
        described.edgeprof,
        [origin(one) for one in given],
        listed,
        described.not_rendered,
        described.signer,
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
    wrong += [
        f"{figure} in {name} is not what its run file gives"
        for name in reports
        if name in found
        for figure in differing(found[name], anew[name])
    ]
    unlike = [
        f"{name}: by its hash only, this version writes it differently"
        for name in sorted(set(found) - {man.MANIFEST, man.SIGNATURE, man.SUMS, *reports, *pages(given)})
        if name not in anew or not _alike(found[name], anew[name])
    ]
    said = f"made by edgeprof {described.edgeprof}, and {__version__} computes the same figures from the run files"
    return wrong, [said, *unlike]
