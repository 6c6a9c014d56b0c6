"""Refs pickles: plain data is read as any Python wrote it, and nothing is ever run."""

import builtins
import codecs
import collections
import copyreg
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_refcoco import python2_pickle

from remamber.datasets._unpickle import load_plain_pickle
from remamber.errors import ExitCode, UserError

PATH = Path("refs(unc).p")
PLAIN = [
    {
        "ref_id": 7,
        "split": "testA",
        "sent_ids": [1, 2**40],
        "area": 0.5,
        "sentences": [{"raw": "The dog.", "tokens": ["the", "dog"], "sent_id": -3}],
        "nothing": None,
        "yes": True,
        "pair": (1, "x" * 300),
    }
]


class Calls:
    """Pickles as a call of a function, which a naive reader performs."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(canary):
    """Objects whose pickles would create the canary, or load code, if they were obeyed."""
    touch = f"touch {canary}"
    code = f"open({str(canary)!r}, 'w').close()"
    return {
        "os.system": Calls(os.system, touch),
        "eval": Calls(eval, f"__import__('os').system({touch!r})"),
        "exec": Calls(exec, code),
        "open": Calls(open, str(canary), "w"),
        "Popen": Calls(subprocess.Popen, touch, -1, None, None, None, None, None, True, True),
        "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
        "getattr-called": Calls(map, Calls(getattr, Calls(__import__, "os"), "system"), [touch]),
        "dict-value": [{"ref_id": 1, "sentences": [{"raw": Calls(os.system, touch)}]}],
        "dict-key": {(1, Calls(os.mkdir, str(canary))): 1},
        "tuple-in-set-like": [(Calls(os.system, touch),) * 3],
        "after-good-data": [*PLAIN * 50, Calls(os.system, touch)],
        "path-touch": Calls(Path.touch, Path(canary)),
        "bytearray": Calls(builtins.bytearray, 10**12),
        "compile": Calls(compile, code, "x", "exec"),
        "codec": Calls(codecs.encode, "x", "rot13"),
        "ordered-dict": collections.OrderedDict(a=1),
        "defaultdict": collections.defaultdict(list, a=[1]),
        "numpy-scalar": np.int64(3),
        "numpy-array": np.arange(3),
        "object-array": np.array([Calls(os.system, touch)], dtype=object),
        "range": range(3),
        "complex": 1j,
        "class": Path,
        "function": os.remove,
    }


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", sorted(hostile("x")))
def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(name, protocol, tmp_path):
    canary = tmp_path / "canary"
    content = pickle.dumps(hostile(canary)[name], protocol=protocol)
    with pytest.raises(UserError) as caught:
        load_plain_pickle(content, path=PATH)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert "'refs(unc).p' is refused: reading it would load" in caught.value.what
    assert not canary.exists()


def test_the_canary_of_these_tests_is_created_by_a_reader_that_obeys(tmp_path):
    canary = tmp_path / "canary"
    for name in ("os.system", "exec", "dict-value", "after-good-data"):
        pickle.loads(pickle.dumps(hostile(canary)[name]))
        assert canary.exists()
        canary.unlink()


def raw(text):
    return text.encode().replace(b"~", b"\n")


HAND_WRITTEN = {
    "posix.system": (raw("cposix~system~(S'touch canary'~tR."), "posix.system"),
    "nt.system": (raw("cnt~system~(S'touch canary'~tR."), "nt.system"),
    "inst": (raw("(S'touch canary'~ios~system~."), "os.system"),
    "obj": (raw("(cos~system~S'touch canary'~o."), "os.system"),
    "python-2-eval": (raw("c__builtin__~eval~(S'1'~tR."), "__builtin__.eval"),
    "python-2-execfile": (raw("c__builtin__~execfile~(S'x'~tR."), "__builtin__.execfile"),
    "reconstructor": (
        raw("ccopy_reg~_reconstructor~(c__main__~X~c__builtin__~object~NtR."),
        "copy_reg._reconstructor",
    ),
    "kept-in-the-memo": (raw("cos~system~p0~0(lp1~g0~(S'touch canary'~tRa."), "os.system"),
    "dotted-name": (b"\x80\x04\x8c\x08builtins\x8c\x0ddict.fromkeys\x93.", "dict.fromkeys"),
    "dunder-walk": (
        b"\x80\x04\x8c\x08builtins\x8c\x1dlist.__class__.__subclasses__\x93.",
        "builtins.list.__class__",
    ),
    "unknown-module": (raw("cno_such_module~thing~."), "no_such_module.thing"),
    "harmless-name-elsewhere": (raw("cevil~list~."), "evil.list"),
    "persistent-id": (raw("Pos.system~."), "persistent object 'os.system'"),
    "newobj": (b"\x80\x02csubprocess\nPopen\n(X\x05\x00\x00\x00touchtR.", "subprocess.Popen"),
}


@pytest.mark.parametrize("name", sorted(HAND_WRITTEN))
def test_hand_written_hostile_pickles_are_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, named = HAND_WRITTEN[name]
    with pytest.raises(UserError) as caught:
        load_plain_pickle(content, path=PATH)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert named in caught.value.what
    assert list(tmp_path.iterdir()) == []


def test_a_refused_module_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "planted_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"planted_module\.thing"):
        load_plain_pickle(b"cplanted_module\nthing\n.", path=PATH)
    assert "planted_module" not in sys.modules


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle at all",
        b"\x80\x07].",
        raw("g5~."),
        raw("0."),
        b"\x80\x02]q\x00(K\x01K",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f]",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62),
        b"\x82\x01.",
        raw("c__builtin__~set~(]}b."),
        raw("c__builtin__~set~(I1~tR."),
        raw("c__builtin__~set~}S'append'~I1~sb."),
        b"PK\x03\x04" + bytes(60),
    ],
    ids=range(13),
)
def test_a_damaged_pickle_is_an_error_that_names_the_file(content):
    with pytest.raises(UserError, match=r"'refs\(unc\)\.p' is not a readable pickle") as caught:
        load_plain_pickle(content, path=PATH)
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.fix


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_cut_at_any_byte_is_an_error_and_never_half_a_list(protocol):
    content = pickle.dumps(PLAIN, protocol=protocol)
    for length in range(len(content)):
        with pytest.raises(UserError) as caught:
            load_plain_pickle(content[:length], path=PATH)
        assert caught.value.exit_code == ExitCode.DAMAGED


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol_is_read_as_it_was(protocol):
    assert load_plain_pickle(pickle.dumps(PLAIN, protocol=protocol), path=PATH) == PLAIN


@pytest.mark.parametrize("protocol", range(6))
def test_sets_are_plain_data(protocol):
    content = {"ids": {1, 2}, "names": frozenset({"a"})}
    assert load_plain_pickle(pickle.dumps(content, protocol=protocol), path=PATH) == content


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_byte_strings_of_python_2_become_text(protocol):
    content = python2_pickle(PLAIN, protocol=protocol)
    written = {opcode.name for opcode, _, _ in pickletools.genops(io.BytesIO(content))}
    assert written & {"STRING", "BINSTRING", "SHORT_BINSTRING"}
    assert not written & {"UNICODE", "BINUNICODE"}
    assert load_plain_pickle(content, path=PATH) == PLAIN


def test_python_2_bytes_beyond_ascii_do_not_stop_the_reader():
    assert load_plain_pickle(b"\x80\x02U\x04caf\xe9.", path=PATH) == "caf\u00e9"


def test_a_set_pickled_by_python_2_is_read():
    assert load_plain_pickle(b"c__builtin__\nset\n((lI1\naI2\natR.", path=PATH) == {1, 2}


def test_no_name_but_the_two_builtins_is_found():
    allowed = []
    for name in dir(builtins):
        try:
            load_plain_pickle(f"cbuiltins\n{name}\n.".encode(), path=PATH)
        except UserError:
            continue
        allowed.append(name)
    assert sorted(allowed) == ["frozenset", "set"]


def test_a_registered_extension_code_is_refused():
    code = 0x77
    copyreg.add_extension("os", "system", code)
    try:
        with pytest.raises(UserError, match=r"would load 'os\.system'"):
            load_plain_pickle(b"\x80\x02\x82" + bytes([code]) + b".", path=PATH)
    finally:
        copyreg.remove_extension("os", "system", code)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02\x82\x01.",
        b"\x80\x02\x83\x01\x00.",
        b"\x80\x02\x84\x01\x00\x00\x00.",
        b"\x80\x05\x97.",
        b"\x80\x05]\x98.",
        b"\x80\x02]Q.",
    ],
    ids=["ext1", "ext2", "ext4", "next-buffer", "readonly-buffer", "persistent-binary"],
)
def test_opcodes_that_reach_outside_the_pickle_are_refused(content):
    with pytest.raises(UserError) as caught:
        load_plain_pickle(content, path=PATH)
    assert caught.value.exit_code == ExitCode.DAMAGED


def test_a_saved_torch_tensor_is_refused():
    torch = pytest.importorskip("torch")
    for content in (pickle.dumps([torch.zeros(2)]), pickle.dumps(torch.float32)):
        with pytest.raises(UserError, match="would load 'torch") as caught:
            load_plain_pickle(content, path=PATH)
        assert caught.value.exit_code == ExitCode.DAMAGED
    stream = io.BytesIO()
    torch.save([torch.zeros(2)], stream)
    with pytest.raises(UserError, match="not a readable pickle"):
        load_plain_pickle(stream.getvalue(), path=PATH)


def test_numbers_of_python_2_are_read():
    content = raw("(lI01~aI00~aL12345678901234567890L~aF0.5~aNa.")
    assert load_plain_pickle(content, path=PATH) == [True, False, 12345678901234567890, 0.5, None]
