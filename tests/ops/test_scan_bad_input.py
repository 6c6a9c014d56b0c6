"""Arguments that the scans refuse, each named with what it is and what was expected."""

import pytest
import torch
from scan_subjects import NAMES

from remamber.errors import UserError
from remamber.ops import selective_scan


@pytest.fixture
def arguments(scan):
    return scan.arguments(2, 8, 37, 1, 4)


def _bad(name, change):
    return pytest.param(name, change, id=name)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        _bad("u has shape (8, 37), expected (b, d, l)", lambda v: v | {"u": v["u"][0]}),
        _bad("u has shape (2, 8, 0), expected", lambda v: v | {"u": v["u"][..., :0]}),
        _bad(
            "delta has shape (2, 8, 36), expected (2, 8, 37)",
            lambda v: v | {"delta": v["delta"][..., 1:]},
        ),
        _bad("A has shape (8,), expected (d, n) = (8, n)", lambda v: v | {"A": v["A"][:, 0]}),
        _bad("B has shape (2, 4, 1, 36)", lambda v: v | {"B": v["B"][..., 1:]}),
        _bad("B has shape (2,), expected", lambda v: v | {"B": v["B"][:, 0, 0, 0]}),
        _bad("a g that divides d = 8", lambda v: v | {"B": v["B"][:, :3]}),
        _bad("C has shape (2, 2, 1, 37), expected B's", lambda v: v | {"C": v["C"][:, :2]}),
        _bad("D has shape (7,), expected (8,)", lambda v: v | {"D": v["D"][1:]}),
        _bad("delta_bias has shape (8, 1)", lambda v: v | {"delta_bias": v["D"][:, None]}),
        _bad("z has shape (2, 8, 1)", lambda v: v | {"z": v["u"][..., :1]}),
        _bad("A has dtype torch.complex64", lambda v: v | {"A": v["A"].to(torch.complex64)}),
        _bad("u has dtype torch.int64", lambda v: v | {"u": v["u"].long()}),
        _bad("A has dtype torch.float64 but u has", lambda v: v | {"A": v["A"].double()}),
        _bad("B is on meta, expected u's device c", lambda v: v | {"B": v["B"].to("meta")}),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_was_expected(scan, arguments, words, change):
    with pytest.raises(UserError) as error:
        selective_scan(**change(arguments), backend=scan.backend)
    assert error.value.slug == "scan_shape"
    assert words in error.value.what


RANKS = ["a rank less", "a rank more"]


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("name", NAMES)
def test_an_argument_of_another_rank_is_refused_by_name(either, name, rank):
    values = either.arguments()
    value = values[name][0] if rank == "a rank less" else values[name][None]
    # B and C of a selective scan may do without their group axis.
    if either.op.name == "selective_scan" and name in "BC" and rank == "a rank less":
        value = value[0]
    said = _refusal(either, values | {name: value})
    assert said.startswith(f"{either.op.name}: {name} has shape {tuple(value.shape)}, expected (")


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_with_one_element_too_many_is_refused_by_name(either, name):
    values = either.arguments()
    for axis in range(values[name].ndim):
        longer = torch.cat([values[name], values[name].narrow(axis, 0, 1)], axis)
        said = _refusal(either, values | {name: longer})
        # u and A set the sizes that the others are held to.
        blamed = [name] if name not in ("u", "A") else NAMES
        assert any(said.startswith(f"{either.op.name}: {n} has shape") for n in blamed), said


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_with_an_empty_axis_is_refused(either, name):
    values = either.arguments()
    for axis in range(values[name].ndim):
        said = _refusal(either, values | {name: values[name].narrow(axis, 0, 0)})
        assert f"{either.op.name}: {name} has shape" in said


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_an_argument_of_another_kind_of_number_is_refused_by_name(either, name, dtype):
    values = either.arguments()
    said = _refusal(either, values | {name: values[name].to(dtype)})
    if dtype == torch.float64:
        assert "in float64 every argument must be float64" in said
    else:
        assert said.startswith(f"{either.op.name}: {name} has dtype {dtype}, expected a real")


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_on_another_device_is_refused_by_name(either, name):
    values = either.arguments()
    said = _refusal(either, values | {name: values[name].to("meta")})
    blamed = "delta" if name == "u" else name
    assert said.startswith(f"{either.op.name}: {blamed} is on ")
    assert "expected u's device" in said


def test_a_backend_that_is_not_there_says_so(either):
    with pytest.raises(UserError, match="no scan backend is called 'gpu'") as error:
        either._replace(backend="gpu")(either.arguments())
    assert error.value.slug == "scan_backend"


def _refusal(either, values):
    with pytest.raises(UserError) as error:
        either(values)
    assert error.value.slug == "scan_shape"
    return error.value.what
