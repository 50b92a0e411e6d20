"""Commands within a sentence: they look like code, and no line ends inside a flag."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_COMMAND = re.compile(r"`([^`]{1,80})`")
_FLAG = re.compile(r"--[a-z][a-z-]*")


def unbroken(text: str) -> Markup:
    """The text, escaped, with what stands in backticks as code and each flag as a whole that no line breaks."""
    marked = _COMMAND.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_FLAG.sub(r'<span class="flag">\g<0></span>', marked))  # noqa: S704
