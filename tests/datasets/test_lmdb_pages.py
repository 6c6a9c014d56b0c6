"""LMDB's pages: the values that the format's own library finds, and damage that ends nothing."""

import random
import struct

import lmdb
import pytest

from remamber.datasets._sources._lmdb_pages import BrokenPagesError, look_up, read_meta

PAGE = 4096


def read_from(raw):
    return lambda count, offset: raw[offset : offset + count]


def found(raw, key, limit=2**26):
    read = read_from(raw)
    return look_up(read, read_meta(read), key, limit=limit)


def tree(path, rows, *transactions):
    """The bytes of an LMDB with these rows, and what each later transaction leaves of them."""
    with lmdb.open(str(path), subdir=False, map_size=2**27) as environment:
        with environment.begin(write=True) as writing:
            for key, value in rows.items():
                writing.put(key, value)
        for change in transactions:
            with environment.begin(write=True) as writing:
                change(writing)
        environment.sync()
    return path.read_bytes()


@pytest.fixture(scope="module")
def rows():
    rng = random.Random(0)
    sizes = (0, 1, 300, 1900, 2100, 4080, 4081, 20_000)
    return {str(n).encode(): rng.randbytes(sizes[n % 8] if n % 50 < 8 else 40) for n in range(6000)}


@pytest.fixture(scope="module")
def raw(rows, tmp_path_factory):
    return tree(tmp_path_factory.mktemp("lmdb") / "val.lmdb", rows)


def test_every_value_of_a_deep_tree_is_found_and_no_other(raw, rows):
    assert read_meta(read_from(raw)).last > 500
    for key, value in rows.items():
        assert found(raw, key) == value
    for key in (b"", b"0000", b"6000", b"99999999", b"~", b"1 "):
        assert found(raw, key) is None


def test_the_last_transaction_counts(rows, tmp_path):
    def change(writing):
        for number in range(0, 6000, 3):
            writing.delete(str(number).encode())
        writing.put(b"1", b"changed")

    raw = tree(tmp_path / "val.lmdb", rows, change, lambda writing: writing.put(b"new", b"n"))
    assert found(raw, b"0") is None
    assert found(raw, b"1") == b"changed"
    assert found(raw, b"new") == b"n"
    assert found(raw, b"2") == rows[b"2"]


def test_an_empty_tree_has_no_key(tmp_path):
    assert found(tree(tmp_path / "val.lmdb", {}), b"0") is None


def test_a_value_over_the_limit_is_not_read(raw, rows):
    large = next(key for key, value in rows.items() if len(value) == 20_000)
    with pytest.raises(BrokenPagesError, match="a value of 20,000 bytes, 19,999 is the limit"):
        found(raw, large, limit=19_999)


@pytest.mark.parametrize("length", [0, 15, PAGE - 1, PAGE + 20])
def test_a_file_that_ends_in_its_first_pages_is_no_lmdb(raw, length):
    with pytest.raises(BrokenPagesError):
        found(raw[:length], b"0")


@pytest.mark.parametrize(
    ("offset", "value", "says"),
    [
        (16, b"\0\0\0\0", "does not begin as LMDB files"),
        (20, struct.pack("<I", 7), "of version 1"),
        (40, struct.pack("<I", 12_345), "its pages have 12,345 bytes"),
    ],
)
def test_other_files_and_versions_are_refused(raw, offset, value, says):
    with pytest.raises(BrokenPagesError, match=says):
        found(raw[:offset] + value + raw[offset + len(value) :], b"0")


def test_a_value_on_a_page_that_cannot_be_is_refused_before_it_is_read(tmp_path):
    raw = tree(tmp_path / "val.lmdb", {b"large": bytes(9000)})
    place = raw.rindex(b"large") + len(b"large")
    moved = raw[:place] + struct.pack("<Q", 2**60) + raw[place + 8 :]
    with pytest.raises(BrokenPagesError, match=f"it leads to page {2**60:,} of"):
        found(moved, b"large")


def test_pages_that_lead_in_a_circle_end(raw):
    root = read_meta(read_from(raw)).root
    page = bytearray(raw[root * PAGE : (root + 1) * PAGE])
    for (node,) in struct.iter_unpack("<H", page[16 : struct.unpack_from("<H", page, 12)[0]]):
        struct.pack_into("<HHH", page, node, root & 0xFFFF, root >> 16, 0)
    with pytest.raises(BrokenPagesError, match="lead in a circle"):
        found(raw[: root * PAGE] + bytes(page) + raw[(root + 1) * PAGE :], b"17")


def test_damage_anywhere_is_said_or_harmless(tmp_path):
    rows = {str(n).encode(): str(n).encode() * 10 for n in range(1500)}
    raw = tree(tmp_path / "val.lmdb", {**rows, b"large": bytes(3000)})
    rng, broken, keys = random.Random(1), 0, [*rows, b"large"]
    for _ in range(600):
        damaged = bytearray(raw)
        page = rng.randrange(len(raw) // PAGE) * PAGE
        for _ in range(rng.choice((1, 4))):
            damaged[page + rng.randrange(64)] = rng.randrange(256)
        try:
            for key in rng.sample(keys, 30):
                value = found(damaged, key)
                assert value is None or isinstance(value, bytes | bytearray)
        except BrokenPagesError:
            broken += 1
    assert broken > 50
