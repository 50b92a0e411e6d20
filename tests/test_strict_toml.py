"""Every way a data file can be wrong ends in one sentence that names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.catalogue.strict_toml import LONGEST_LINE, MAX_BYTES, read_toml
from profiler.errors import UserError


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    size: int
    scale: float = 1.0


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    layers: tuple[Layer, ...]
    kind: Literal["dense", "sparse"] = "dense"
    depth: Annotated[int, msgspec.Meta(ge=1)] = 1
    first: Layer | None = None
    tags: list[str] = []
    parts: dict[str, Layer] = {}
    widths: dict[Literal["small", "large"], int] = {}


GOOD = 'name = "m"\n[[layers]]\nsize = 8\n'


def read(folder: Path, text: str) -> Model:
    path = folder / "m.toml"
    path.write_bytes(text.encode())
    return read_toml(path, Model)


def sentence(folder: Path, text: str) -> str:
    """What the user is told, without the file's path, which must come first."""
    with pytest.raises(UserError) as error:
        read(folder, text)
    head, _, rest = str(error.value).partition(": ")
    assert head == str(folder / "m.toml")
    return rest


def test_a_good_file_becomes_nested_frozen_structs(tmp_path: Path) -> None:
    text = (
        'tags = ["a"]\n' + GOOD + "scale = 2\n[first]\nsize = 1\n[parts.x]\nsize = 3\n[widths]\nsmall = 4\n"
    )
    assert read(tmp_path, text) == Model(
        name="m",
        layers=(Layer(size=8, scale=2.0),),
        first=Layer(size=1),
        tags=["a"],
        parts={"x": Layer(size=3)},
        widths={"small": 4},
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nmae = 1\n" + GOOD, "unknown key nmae (did you mean name?); rename or remove it"),
        (GOOD + "sise = 1\n", "unknown key layers[0].sise (did you mean size?); rename or remove it"),
        (
            GOOD + "[parts.x]\nsize = 1\nq = 1\n",
            "unknown key parts.x.q (accepted: scale, size); rename or remove it",
        ),
        ('name = "m"\n', "layers is missing, accepted: a list; add it"),
        (GOOD + "[[layers]]\nscale = 1.0\n", "layers[1].size is missing, accepted: a whole number; add it"),
        (
            'name = "m"\n[[layers]]\nsize = "8"\n',
            "layers[0].size is '8', accepted: a whole number; correct it",
        ),
        (
            'name = "m"\n[[layers]]\nsize = true\n',
            "layers[0].size is True, accepted: a whole number; correct it",
        ),
        ('name = "m"\nlayers = 3\n', "layers is 3, accepted: a list; correct it"),
        ("first = 3\n" + GOOD, "first is 3, accepted: a table; write it as a table"),
        ("parts = 3\n" + GOOD, "parts is 3, accepted: a table; correct it"),
        ("tags = [1]\n" + GOOD, "tags[0] is 1, accepted: text; correct it"),
        ('kind = "dens"\n' + GOOD, "kind is 'dens' (did you mean dense?); correct it"),
        ("depth = 0\n" + GOOD, "depth is 0, accepted: int >= 1; correct it"),
        ("depth = 1.5\n" + GOOD, "depth is 1.5, accepted: a whole number; correct it"),
        (
            GOOD + "[widths]\nsmal = 1\n",
            "the name of widths.smal is 'smal' (did you mean small?); correct it",
        ),
        (
            GOOD + "scale = nan\n",
            "layers[0].scale is nan, accepted: a finite number; leave the key out where the value is unknown",
        ),
        (
            f'name = "m"\n[[layers]]\nsize = {2**63}\n',
            "layers[0].size is 9223372036854775808, accepted: a whole number of 64 bits; correct it",
        ),
        (
            'name = "\\u001b[2J"\n[[layers]]\nsize = 8\n',
            "name holds control characters, accepted: printable text on one line; remove them",
        ),
        (
            GOOD + '[parts."a\\nb"]\nsize = 1\n',
            "the name of parts.'a\\nb' holds control characters, accepted: printable text on one line; remove them",
        ),
        (f'name = "m"\nlayers = "{"x" * 50}"\n', f"layers is '{'x' * 36}..., accepted: a list; correct it"),
        (f"# {'x' * LONGEST_LINE}\n", f"line 1 has over {LONGEST_LINE} characters; break it up"),
        (
            'name = "m"\nname = "n"\n',
            "not valid TOML: Cannot overwrite a value (at line 2, column 11); correct it there",
        ),
        ("a = " + "[" * 900, "lists or tables are nested too deeply; write them flatter"),
    ],
)
def test_a_wrong_file_is_told_with_key_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    assert sentence(tmp_path, text) == told


def test_a_file_that_is_missing_too_large_or_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    with pytest.raises(UserError, match="no such file"):
        read_toml(path, Model)
    path.write_bytes(b"#\n" * MAX_BYTES)
    with pytest.raises(UserError, match=f"larger than {MAX_BYTES} bytes"):
        read_toml(path, Model)
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(UserError, match="byte 8 is not UTF-8"):
        read_toml(path, Model)


def test_a_key_of_many_dots_does_not_hang(tmp_path: Path) -> None:
    assert "break it up" in sentence(tmp_path, "a." * 400_000 + "b = 1")


@given(st.text(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_refused_in_one_printable_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError) as error:
        read_toml(path, Model)
    assert str(error.value).isprintable()


json = st.recursive(
    st.booleans() | st.integers() | st.text(alphabet="ab\x1b", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "size", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["name", "layers", "first", "parts", "widths", "tags"]), json))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tables_are_read_or_refused_in_one_printable_sentence(
    tmp_path: Path, tables: dict[str, object]
) -> None:
    path = tmp_path / "any.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in tables.items()), "utf-8")
    told = "read"
    try:
        read_toml(path, Model)
    except UserError as error:
        told = str(error)
    assert told.isprintable()


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + value.replace("\x1b", "\\u001b") + '"' if isinstance(value, str) else str(value)
