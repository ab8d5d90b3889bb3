"""YAML of users: plain values alone, read as YAML 1.2 reads them, and everything else refused by name and quickly."""

import itertools
import math
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.support import yaml_file
from reprise.support.errors import RepriseError
from reprise.support.presets import BOARDS, HARDWARE, NETWORKS, preset_file, preset_names
from reprise.support.yaml_file import parse_yaml, read_yaml, to_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghi")
)


def read(folder, text):
    path = folder / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


REFUSED = {
    "alias bomb": (BOMB, r"line 1 must be without anchors and aliases, not '&a': write the value out in each place"),
    "alias": ("b: *a", r"line 1 must be without anchors and aliases, not '\*a'"),
    "itself": ("x: &x [*x]", "line 1 must be without anchors"),
    "20,000 brackets": ("x: " + "[" * 20000 + "]" * 20000, "line 1 must be nested at most 20 deep"),
    "20,000 braces": ("x: " + "{a: " * 20000, "line 1 must be nested at most 20 deep"),
    "20,000 blocks": ("- " * 20000, "nested at most 20 deep"),
    "too long": ("x: " + "a" * (1 << 20), "the file must be at most 1048576 bytes, not 1048579"),
    "too many values": ("x: [" + "1," * 100_000 + "]", "the file must be at most 50000 values"),
    "key twice": ("a: 1\nb: 2\na: 3", "a.yaml: field 'a' must be given once, not 'again in line 3'"),
    "key twice within": ("a: {b: 1, b: 1}", "field 'b' must be given once"),
    "key twice in quotes": ("a: 1\n'a': 1", "field 'a' must be given once"),
    "two documents": ("a: 1\n---\na: 2", "the file must be one YAML document"),
    "number for a key": ("a: {5: 1}", "the name of a field must be text, not 5"),
    "list for a key": ("? [1]\n: 2", r"the name of a field must be text, not \[1\]"),
    "empty": ("", "a.yaml: the file must be a mapping of fields, not 'an empty one'"),
    "comments alone": ("# nothing\n", "not 'an empty one'"),
    "braces alone": ("{}", "not 'an empty one'"),
    "list": ("- 1", "must be a mapping of fields, not list"),
    "zero": ("0", "must be a mapping of fields, not int"),
    "tag": (
        "x: !!python/object/apply:os.system ['true']",
        "must be YAML: could not determine a constructor for the tag",
    ),
    "no text": (b"\xff\xfe\x00a", "a.yaml: must be YAML: .*utf-8"),
    "control characters": ("\x00\x01a: 1", "a.yaml: must be YAML: .*control characters are not allowed"),
    "10,000 digits": ("a: " + "9" * 10000, "the integer in line 1 must be of at most 40 digits, not 'one of 10000'"),
}
REFUSED |= {
    word: (
        f"a: {word}",
        f"the value in line 1 must be a decimal number, true, false or a text, not {word!r}".replace("+", "."),
    )
    for word in ("010", "0x10", "0o10", "0b1", "1_000", "1:30", "190:20:30.15", "yes", "No", "ON", "off", "-012")
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_and_quickly(name, tmp_path):
    text, message = REFUSED[name]
    start = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(RepriseError, match=message) as raised:
        read(tmp_path, text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 5 and peak < 50 << 20
    assert len(str(raised.value)) < 400 + len(str(tmp_path)) and "\n" not in str(raised.value)


def test_a_folder_is_told(tmp_path):
    with pytest.raises(RepriseError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_single_values():
    text = (
        "[1, -3, +4, 0, 1.0, 1e3, .5, -1.5e-3, .inf, -.INF, true, False, null, ~, '010', \"yes\", 2001-01-01, y, 1.2.3]"
    )
    expected = [1, -3, 4, 0, 1.0, 1000.0, 0.5, -0.0015, math.inf, -math.inf, True, False, None, None]
    expected += ["010", "yes", "2001-01-01", "y", "1.2.3"]
    found = parse_yaml(text)
    assert found == expected and [type(one) for one in found] == [type(one) for one in expected]
    assert math.isnan(parse_yaml(".nan")) and parse_yaml("") is None and parse_yaml("a:\n") == {"a": None}


PLAIN = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.from_regex(
    r"[0-9+.:eE_xob-]{1,8}", fullmatch=True
)
WORDS = st.sampled_from(
    ["yes", "NO", "1e3", "010", "0o7", "1:30", "null", "~", "", "=", "<<", "*a", "&a", "!a", "- a", "#"]
)


VALUES = PLAIN | TEXT | WORDS


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXT | WORDS, VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(TEXT, VALUES, max_size=3)))
def test_what_is_written_is_read_again(values):
    assert parse_yaml(to_yaml(values)) == values


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXT, PLAIN | st.lists(TEXT, max_size=3)))
def test_every_reader_reads_what_is_written(values):
    """PyYAML's own reader, which takes YAML 1.1, agrees."""
    assert yaml.safe_load(to_yaml(values)) == values


def test_every_preset_is_what_pyyaml_reads():
    paths = [*HARDWARE.glob("*.yaml"), *NETWORKS.glob("*.yaml"), *BOARDS.glob("*.yaml")]
    assert len(paths) > 10
    for path in paths:
        assert read_yaml(path) == yaml.safe_load(path.read_text())


def test_without_the_c_library_the_same_is_read_and_refused(monkeypatch):
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert parse_yaml("a: [1, {b: x}]") == {"a": [1, {"b": "x"}]}
    with pytest.raises(yaml_file._Refused):
        parse_yaml(BOMB)


def test_names_of_presets_are_no_paths():
    assert preset_names(HARDWARE) == ["board85", "fast", "paper", "paper-t", "paper2", "small", "small-t", "tiny"]
    assert preset_file(HARDWARE, "tiny") == HARDWARE / "tiny.yaml"
    for name in ("../hardware/tiny", "../tiny", "./tiny", str(HARDWARE / "tiny"), "", ".", "a\0b", "TINY"):
        assert preset_file(HARDWARE, name) is None
