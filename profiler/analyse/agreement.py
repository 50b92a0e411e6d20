"""What is known of a build's agreement with the file it was made from, in words."""

from __future__ import annotations

from profiler.runfile import Agreement, Build, Closeness


def summary(build: Build) -> str | None:
    """One sentence on a build that was made from another; None for any other build."""
    if build.source is None:
        return None
    made = f"{build.name} was made from {build.source} ({build.via})"
    if build.via != "direct":
        return f"{made}: its weights are that exporter's own and were not compared"
    if build.agreement is None:
        return f"{made}; whether it agrees with it was not checked"
    return f"{made}: {'; '.join(findings(build.agreement))}"


def findings(found: Agreement) -> list[str]:
    """What was compared and how near it is, one clause each; failures last."""
    compared = [
        _weights(found),
        _exact(found.exact) if found.exact else None,
        _fast(found) if found.fast else None,
        found.not_compared,
        f"{found.tokens} tokens of shipped text",
    ]
    return [*(text for text in compared if text), *found.failures]


def _weights(found: Agreement) -> str:
    if found.weights_unequal:
        return f"{found.weights_unequal:,} of {found.weights:,} weights are not equal"
    return f"all {found.weights:,} weights are equal"


def _exact(exact: Closeness) -> str:
    return (
        f"with float32 activations top token equal at {_share(exact.top1)}, logits within {exact.largest:.2g} "
        "of llama.cpp on the same weights"
    )


def _fast(found: Agreement) -> str:
    fast, floor = found.fast, found.floor
    assert fast is not None
    beside = f" ({_figures(floor)} is llama.cpp one by one against its own batch)" if floor else ""
    return f"as served {_figures(fast)} against llama.cpp{beside}"


def _figures(found: Closeness) -> str:
    return f"top-1 {_share(found.top1)}, KL {found.kl:.2g}, perplexity {found.perplexity:.4g}"


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"
