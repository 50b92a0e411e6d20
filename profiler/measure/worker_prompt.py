"""In a worker: the token ids of a workload's prompt."""

from typing import Any, Dict, List

from profiler.engines.protocol import Engine, EngineFailure


def prompt_ids(engine: Engine, workload: Dict[str, Any], seed: int) -> List[int]:
    """Exactly as many token ids as the workload asks for: of its text, repeated if short, or random ones."""
    count = workload["prompt_tokens"]
    if workload["method"] == "raw":
        return engine.random_ids(count, seed)
    text = workload["text"].encode("utf-8")
    ids = engine.tokenize(text)
    once = len(ids)
    while len(ids) < count and once:
        text += text
        ids = engine.tokenize(text)
    if len(ids) < count:
        raise EngineFailure("bad_file", "its tokenizer gives no tokens for the workload's text")
    return ids[:count]
