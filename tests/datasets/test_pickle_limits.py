"""Pickles that name nothing and would still fill the memory or compute for years."""

import pickle
import struct
from pathlib import Path

import pytest

from remamber.datasets import _pickle_limits
from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import ExitCode, UserError

PATH = Path("refs(unc).p")


def raw(text):
    return text.encode().replace(b"~", b"\n")


BOMBS = {
    "memo-index": b"\x80\x02]r\xfe\xff\xff\xff.",
    "memo-index-in-text": raw("(lp99999999999~."),
    "memo-index-negative": raw("(lp-5~."),
    "bytearray-8": b"\x80\x05\x96" + struct.pack("<Q", 2**44) + b".",
    "bytes-8": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "unicode-8": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "long-4": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "long-4-negative": b"\x80\x02\x8b" + struct.pack("<i", -1) + b"x.",
    "key-doubled-by-dup": b"\x80\x02}" + b")" + b"2\x86" * 60 + b"K\x01s.",
    "key-doubled-by-memo": b"\x80\x02})" + b"\x85q\x01h\x01\x86" * 60 + b"K\x01s.",
    "key-doubled-by-memoize": b"\x80\x04}\x94)"
    + b"".join(b"\x85\x94h" + bytes([k]) + b"\x86" for k in range(1, 61))
    + b"K\x01s.",
    "key-doubled-behind-a-pop": b"\x80\x02})" + b"\x85K\x010q\x01h\x01\x86" * 60 + b"K\x01s.",
    "set-of-doubled": b"\x80\x04\x8f()" + b"2\x86" * 60 + b"\x90.",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_few_bytes_cannot_fill_the_memory_or_compute_for_years(name):
    with pytest.raises(UserError, match=r"'refs\(unc\)\.p' is not a readable pickle") as caught:
        load_plain_pickle(BOMBS[name], path=PATH)
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_text_of_doubled_lists_cannot_be_asked_for():
    content = b"\x80\x02c__builtin__\nstr\n]q\x00" + b"]q\x01(h\x00h\x00eq\x00" * 60 + b"\x85R."
    with pytest.raises(UserError, match="would load '__builtin__.str'"):
        load_plain_pickle(content, path=PATH)


def test_more_opcodes_than_any_refs_file_has_are_refused(monkeypatch):
    monkeypatch.setattr(_pickle_limits, "MOST_OPCODES", 1000)
    assert load_plain_pickle(pickle.dumps([[]] * 100), path=PATH)
    with pytest.raises(UserError, match="3,0.. opcodes, 1,000 is the limit"):
        load_plain_pickle(b"\x80\x02(" + b"]" * 3000 + b"l.", path=PATH)


def test_a_pickle_larger_than_any_refs_file_is_refused(monkeypatch):
    monkeypatch.setattr(_pickle_limits, "LARGEST", 100)
    with pytest.raises(UserError, match="1,003 bytes, 100 is the limit"):
        load_plain_pickle(b"\x80\x02" + b"]" * 1000 + b".", path=PATH)


def test_nesting_without_end_is_read_or_refused_but_never_ends_the_process():
    for content in (b"]" * 200_000 + b"a" * 199_999 + b".", b"(" * 10**6, b"]" * 10**6 + b"."):
        try:
            load_plain_pickle(content, path=PATH)
        except UserError as error:
            assert error.exit_code == ExitCode.DAMAGED


@pytest.mark.parametrize("protocol", range(6))
def test_tuples_that_stand_in_one_place_are_plain_data(protocol):
    content = [(1, (2, (3, "x"))), {(4, 5): (6,)}, (), ((), ())]
    assert load_plain_pickle(pickle.dumps(content, protocol=protocol), path=PATH) == content


def test_a_persistent_id_that_holds_a_bomb_is_not_written_out():
    doubled = b"]q\x00" + b"(h\x00h\x00lq\x00" * 60
    with pytest.raises(UserError, match="would load 'persistent object a list of 2'"):
        load_plain_pickle(b"\x80\x02" + doubled + b"Q.", path=PATH)
