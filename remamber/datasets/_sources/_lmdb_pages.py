"""The pages of an LMDB file, read one at a time and believed in nothing.

LMDB's own library follows page numbers wherever they lead: a damaged file ends the process. A
file is a tree of pages; each begins with 16 bytes (its number, flags, and where its free space
begins or how many pages it spans) and a list of where its nodes are. Two pages at the start
describe the tree; the one of the later transaction counts. Little-endian, 64 bits.
"""

import os
import struct
from collections.abc import Callable
from typing import NamedTuple

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEAD = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_META = struct.Struct("<IIQQ")
_TREE = struct.Struct("<IHHQQQQQ")
_LAST = struct.Struct("<QQ")
_META_BYTES = _HEAD.size + _META.size + 2 * _TREE.size + _LAST.size
_BRANCH, _LEAF, _OVERFLOW = 0x01, 0x02, 0x04
_FIXED = 0x20
"""Flag of leaves without nodes, which hold keys only."""
_ELSEWHERE = 0x01
"""Flag of a node whose value fills pages of its own."""
_NOWHERE = 2**64 - 1
_PAGE_SIZES = frozenset(2**power for power in range(9, 17))
_DEEPEST = 32

Read = Callable[[int, int], bytes]
"""Gives (how many bytes, from which offset) of the file; fewer where it ends."""


class BrokenPagesError(ValueError):
    """The pages do not make a tree; the text says where."""


class Meta(NamedTuple):
    """What the file says of itself: bytes of a page, the tree's first page, its last page."""

    page_size: int
    root: int
    last: int
    transaction: int


class _Page(NamedTuple):
    content: bytes
    flags: int
    nodes: tuple[int, ...]


def read_meta(read: Read) -> Meta:
    """The later of the two descriptions at the file's start.

    Raises:
        BrokenPagesError: there is none of a known version.
    """
    first = _meta(read(_META_BYTES, 0))
    second = _meta(read(_META_BYTES, first.page_size))
    return max(first, second, key=lambda meta: meta.transaction)


def look_up(read: Read, meta: Meta, key: bytes, *, limit: int) -> bytes | None:
    """The value of a key; None if the tree has no such key.

    Args:
        read: gives bytes of the file.
        meta: where the tree begins.
        key: what is looked for.
        limit: bytes of a value above which it is not read.

    Raises:
        BrokenPagesError: a page is not what the one above says.
    """
    number = meta.root
    for _ in range(_DEEPEST):
        if number == _NOWHERE:
            return None
        page = _page(read, meta, number)
        place = _last_not_above(page, key)
        if page.flags & _LEAF:
            return _value(read, meta, page, key, place, limit=limit)
        low, high, top, _ = _NODE.unpack_from(page.content, page.nodes[place])
        number = low | high << 16 | top << 32
    raise BrokenPagesError("its pages lead in a circle")


def _meta(raw: bytes) -> Meta:
    if len(raw) < _META_BYTES:
        raise BrokenPagesError("it breaks off in its first pages")
    magic, version, _, _ = _META.unpack_from(raw, _HEAD.size)
    if magic != _MAGIC or version != _VERSION:
        raise BrokenPagesError("it does not begin as LMDB files of version 1 do")
    at = _HEAD.size + _META.size
    page_size, *_ = _TREE.unpack_from(raw, at)
    *_, root = _TREE.unpack_from(raw, at + _TREE.size)
    last, transaction = _LAST.unpack_from(raw, at + 2 * _TREE.size)
    if page_size not in _PAGE_SIZES:
        raise BrokenPagesError(f"its pages have {page_size:,} bytes")
    return Meta(page_size, root, last, transaction)


def _page(read: Read, meta: Meta, number: int) -> _Page:
    """A page of the tree, with where its nodes begin."""
    if number > meta.last:
        raise BrokenPagesError(f"it leads to page {number:,} of {meta.last + 1:,}")
    content = read(meta.page_size, number * meta.page_size)
    if len(content) < meta.page_size:
        raise BrokenPagesError(f"it breaks off in page {number:,}")
    own, _, flags, lower, _ = _HEAD.unpack_from(content)
    count, odd = divmod(lower - _HEAD.size, 2)
    kinds = flags & (_BRANCH | _LEAF | _FIXED)
    if own != number or kinds not in (_BRANCH, _LEAF) or odd or count < 1 or lower > len(content):
        raise BrokenPagesError(f"page {number:,} is no page of the tree")
    nodes = struct.unpack_from(f"<{count}H", content, _HEAD.size)
    for node in nodes:
        if node < lower or node + _NODE.size > len(content):
            raise BrokenPagesError(f"page {number:,} has a node outside")
        if node + _NODE.size + _NODE.unpack_from(content, node)[3] > len(content):
            raise BrokenPagesError(f"page {number:,} has a key that leads outside")
    return _Page(content, flags, nodes)


def _key(page: _Page, place: int) -> bytes:
    node = page.nodes[place]
    length = _NODE.unpack_from(page.content, node)[3]
    return page.content[node + _NODE.size : node + _NODE.size + length]


def _last_not_above(page: _Page, key: bytes) -> int:
    """The last node whose key is not above; the first where all are. Keys stand in order."""
    low, high = 0, len(page.nodes) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _key(page, middle) <= key:
            low = middle
        else:
            high = middle - 1
    return low


def _value(
    read: Read, meta: Meta, page: _Page, key: bytes, place: int, *, limit: int
) -> bytes | None:
    if _key(page, place) != key:
        return None
    node = page.nodes[place]
    low, high, flags, length = _NODE.unpack_from(page.content, node)
    size, begins = low | high << 16, node + _NODE.size + length
    if size > limit:
        raise BrokenPagesError(f"a value of {size:,} bytes, {limit:,} is the limit")
    if not flags & _ELSEWHERE:
        if flags or begins + size > len(page.content):
            raise BrokenPagesError("a value leads out of its page")
        return page.content[begins : begins + size]
    if begins + 8 > len(page.content):
        raise BrokenPagesError("a value leads out of its page")
    return _elsewhere(read, meta, struct.unpack_from("<Q", page.content, begins)[0], size)


def _elsewhere(read: Read, meta: Meta, number: int, size: int) -> bytes:
    """A value that fills pages of its own."""
    if number > meta.last:
        raise BrokenPagesError(f"it leads to page {number:,} of {meta.last + 1:,}")
    raw = read(_HEAD.size + size, number * meta.page_size)
    if len(raw) < _HEAD.size + size:
        raise BrokenPagesError(f"it breaks off in page {number:,}")
    own, _, flags, low, high = _HEAD.unpack_from(raw)
    if own != number or not flags & _OVERFLOW or (low | high << 16) * meta.page_size < len(raw):
        raise BrokenPagesError(f"page {number:,} does not hold the value that it should")
    return raw[_HEAD.size :]


def reader(descriptor: int) -> Read:
    """Reads an open file without a map of it: one that is cut meanwhile gives fewer bytes."""

    def read(count: int, offset: int) -> bytes:
        return os.pread(descriptor, count, offset)

    return read
