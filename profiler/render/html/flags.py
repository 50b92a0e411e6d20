"""Flags of a command within a sentence: a line may not end inside one."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_FLAG = re.compile(r"--[a-z][a-z-]*")


def unbroken(text: str) -> Markup:
    """The text, escaped, with each flag as a whole that no line breaks."""
    return Markup(_FLAG.sub(r'<span class="flag">\g<0></span>', escape(text)))  # noqa: S704
