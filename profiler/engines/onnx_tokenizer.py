"""Token ids of an ONNX folder by its tokenizer.json, without any code that the folder brings."""

import os
import random
from typing import Any, List

from profiler.engines.ort_library import TOKENIZER
from profiler.engines.protocol import EngineFailure


class OnnxTokenizer:
    """The tokenizer of one folder, read when it is first needed: raw workloads need none."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, TOKENIZER)
        self._tokenizer: Any = None

    def _read(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = _load(self._path)
        return self._tokenizer

    def tokenize(self, text: bytes) -> List[int]:
        """Ids of `text`, with the special tokens that the tokenizer puts before a prompt."""
        return list(self._read().encode(text.decode("utf-8", "replace")).ids)

    def text_of(self, ids: List[int]) -> bytes:
        """The bytes that these ids stand for."""
        return bytes(self._read().decode(ids, skip_special_tokens=False).encode("utf-8"))

    def random_ids(self, vocabulary: int, count: int, seed: int) -> List[int]:
        """`count` ids drawn evenly from the vocabulary, the first one what stands before every prompt."""
        draw = random.Random(seed)  # noqa: S311
        ids = [draw.randrange(vocabulary) for _ in range(count)]
        return (self.starts_with()[:1] + ids)[:count]

    def starts_with(self) -> List[int]:
        """The tokens that stand before every prompt; none without a tokenizer."""
        return self.tokenize(b"") if os.path.isfile(self._path) else []


def _load(path: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EngineFailure("missing_library", f"tokenizers cannot be loaded: {error}") from None
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises Exception itself
        raise EngineFailure("bad_file", f"{TOKENIZER} cannot be read: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
