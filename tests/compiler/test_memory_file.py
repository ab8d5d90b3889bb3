"""A memory image on disk: what is changed in its map is refused by name."""

import json

import pytest

from reprise.compiler import compile_network
from reprise.hw.arch.memory_image import MemoryImage
from reprise.support.errors import MissingFileError, RepriseError
from tests.compiler.networks import TINY, conv_network
from tests.support.files.nested import GONE, changed_at


@pytest.fixture
def folder(tmp_path):
    compile_network(conv_network(0, (2, 6, 6), 9), TINY, 2).save(tmp_path)
    return tmp_path


def test_every_field_is_there_and_is_checked(folder):
    """Whatever is taken away or changed anywhere in the map, the image is refused, and the file is named."""
    path = folder / "memory.json"
    good = json.loads(path.read_text())
    MemoryImage.load(folder)

    def places(value, at=()):
        yield from [at] if at else []
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in inner:
            yield from places(one, (*at, key))

    tried = 0
    for place in places(good):
        for value in (GONE, None, -1, 1.0, True, "x", [], {}, 1 << 70):
            if value == GONE and isinstance(place[-1], int):  # a list without one of its entries is a list
                continue
            changed = changed_at(good, place, value)
            path.write_text(json.dumps(changed))
            if changed == good and json.dumps(changed) == json.dumps(good):
                continue
            tried += 1
            try:
                MemoryImage.load(folder)
            except RepriseError as error:
                assert str(error).startswith((str(path), str(folder / "memory.bin")))
            else:
                renamed = place[-1] in ("network", "name", "kind", "feature") and value == "x"
                assert renamed or (place[-1] == "repeat" and value is True), (place, value)  # of one timestep
    assert tried > 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "memory.json: must be JSON"),
        ("[1]", "memory.json: must be a mapping of fields, not list"),
        ("{}", "memory.bin: the file must be None bytes"),
        ("[" * 100_000, "memory.json: must be JSON that is not nested so deeply"),
        ('{"size": 1, "size": 2}', "field 'size' must be given once, not 'twice'"),
        ('{"size": ' + "9" * 10_000 + "}", "memory.json: must be JSON of short numbers"),
    ],
)
def test_what_is_no_map(folder, text, message):
    (folder / "memory.json").write_text(text)
    with pytest.raises(RepriseError, match=message):
        MemoryImage.load(folder)


def test_a_file_that_is_missing_or_of_another_size(folder):
    data = (folder / "memory.bin").read_bytes()
    (folder / "memory.bin").write_bytes(data[:-1])
    with pytest.raises(RepriseError, match=rf"memory.bin: the file must be {len(data)} bytes, not {len(data) - 1}"):
        MemoryImage.load(folder)
    (folder / "memory.bin").unlink()
    with pytest.raises(MissingFileError, match="memory.bin must be there"):
        MemoryImage.load(folder)
