"""What ``flops`` counts: all variants, as fvcore and torch count, without memory."""

import logging
import math
import warnings

import psutil
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from remamber.fusions.in_context import PrefixedSpatialScan
from remamber.models import ModelInputs, build_model
from remamber.ops import fvcore_handles
from remamber.plan.spec import DataSpec, ModelSpec, RunSpec
from remamber.record.store import Store
from remamber.runner import Interruption, Request, execute
from remamber.tasks._flops_counts import TEXT, count_costs
from remamber.tasks._flops_ledger import Counter
from remamber.tasks._flops_memo import Memo
from remamber.tasks._flops_run import HollowModel

VARIANTS = {
    "twister": {},
    "channel": {"fusion": {"scan_order": "channel"}},
    "spatial-channel": {"fusion": {"scan_order": "spatial-channel", "cube": "image-local"}},
    "mamba decoder": {"decoder": "mamba", "fusion": {"scan_order": "parallel"}},
    "in-context": {"fusion": {"name": "in-context"}},
    "attention": {"fusion": {"name": "attention"}},
    "norm-adaptation": {"fusion": {"name": "norm-adaptation"}},
    "one direction": {"scan_directions": "one"},
    "swin": {"backbone": "swin"},
    "causal and ssd": {"fusion": {"channel_scan": "causal", "spatial_scan": "ssd"}},
    "lavt": {"name": "lavt"},
}
SIDE, TOKENS = 96, 20
BERT = 12 * TOKENS * 2 * (4 * 768 * 768 + 2 * 768 * 3072 + 2 * TOKENS * 768)
"""Linear maps, and scores and sums of attention, of BERT-base."""


def spec_of(name):
    return ModelSpec.model_validate({"size": "tiny", **VARIANTS[name]})


@pytest.fixture(scope="module")
def memo():
    return Memo()


def counted(name, memo=None, side=SIDE):
    return count_costs(spec_of(name), [side], memo=memo)[0]


def computed(name):
    """The same model with weights, and an input with values."""
    model = build_model(spec_of(name), ModelInputs(())).eval()
    ids = torch.full((1, TOKENS), 2)
    return model, (torch.randn(1, 3, SIDE, SIDE), ids, torch.ones(1, TOKENS, dtype=torch.bool))


class Whole(torch.nn.Module):
    """A model that gives the words of every layer too: a trace drops what nothing reads."""

    def __init__(self, model):
        super().__init__()
        self.model, self.words = model, []
        for module in model.modules():
            if isinstance(module, PrefixedSpatialScan):
                module.register_forward_hook(lambda module, args, out: self.words.append(out[1]))

    def forward(self, *inputs):
        self.words.clear()
        return (self.model(*inputs), *self.words)


def attention_macs(inputs, outputs):
    q, k, v = (i.type().sizes() for i in inputs[:3])
    return q[0] * q[1] * q[2] * k[2] * (q[3] + v[3])


def einsum_macs(inputs, outputs):
    """fvcore's own reads numpy's figure, which has four digits."""
    terms = inputs[0].toIValue().replace(" ", "").partition("->")[0].split(",")
    shapes = [i.type().sizes() for i in inputs[1].node().inputs()]
    pairs = (zip(term, shape, strict=True) for term, shape in zip(terms, shapes, strict=True))
    sizes = {letter: size for pair in pairs for letter, size in pair}
    return math.prod(sizes.values())


def by_fvcore(model, inputs):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        from fvcore.nn import FlopCountAnalysis

        logging.getLogger("fvcore").setLevel(logging.ERROR)
        handles = {
            **fvcore_handles("published"),
            "aten::scaled_dot_product_attention": attention_macs,
            "aten::einsum": einsum_macs,
        }
        return FlopCountAnalysis(Whole(model), inputs).set_op_handle(**handles).by_operator()


@pytest.mark.parametrize("name", VARIANTS)
def test_fvcore_counts_the_same_and_torch_twice_as_much(name, memo):
    counts = counted(name, memo)
    assert not counts.unknown()
    model, inputs = computed(name)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs)
    assert counter.get_total_flops() == counts.total().flops
    found = by_fvcore(model, inputs)
    assert found.total() == counts.total().paper
    scans = [found.pop(name, 0) for name in ("selective_scan", "directional_scan")]
    assert sum(scans) == counts.scan().paper
    products = [n for name, n in found.items() if "norm" not in name and "upsample" not in name]
    assert sum(products) == counts.total().macs - counts.scan().macs


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_remembered_of_other_models_is_what_would_be_counted(name, memo):
    for other in ("twister", "lavt"):
        counted(other, memo)
    anew = counted(name)
    assert counted(name, memo) == anew
    assert counted(name, memo) == anew


def test_equal_modules_are_counted_once():
    memo = Memo()
    counted("twister", memo)
    passes = len(memo)
    counted("twister", memo)
    # The model itself has a tokenizer, of which nothing is known but that it is another.
    assert len(memo) == passes + 1
    counted("channel", memo)
    assert len(memo) < 2 * passes


def test_a_module_with_another_attribute_is_another_module():
    def layer(padding):
        return torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=padding))

    memo = Memo()
    same, equal, other = (memo.structures(m)[m] for m in (layer(0), layer(0), layer(1)))
    assert same == equal != other


def test_parts_and_operators_and_modules_add_up_to_the_total(memo):
    counts = counted("mamba decoder", memo)
    for groups in (counts.by_part(), counts.by_operator(), counts.by_module()):
        assert [sum(column) for column in zip(*groups.values(), strict=True)] == [*counts.total()]
    assert {"backbone", "interaction", "fusion", "decoder", TEXT} <= counts.by_part().keys()


@pytest.mark.parametrize(("side", "billions"), [(256, 124.84), (480, 397.04), (1024, 1742.98)])
def test_lavt_costs_what_its_authors_say_but_for_the_gate_that_nothing_reads(side, billions, memo):
    spec = ModelSpec.model_validate({"name": "lavt", "size": "base", "text": {"name": "bert"}})
    (counts,) = count_costs(spec, [side], memo=memo)
    assert counts.total().flops / 1e9 == pytest.approx(billions, abs=0.006)
    assert counts.parameters["total"] / 1e6 == pytest.approx(227.74, abs=0.005)
    assert counts.by_part()[TEXT].flops == BERT


def test_the_published_text_encoder_has_its_size():
    spec = ModelSpec.model_validate({"size": "base", "text": {"name": "clip"}})
    (counts,) = count_costs(spec, [64])
    assert counts.parameters[TEXT] == 123_060_480
    assert counts.by_part()[TEXT].flops / 1e9 == pytest.approx(3.41, abs=0.005)


def test_two_thousand_pixels_need_no_memory(memo):
    process = psutil.Process()
    spec = ModelSpec.model_validate({"size": "base"})
    count_costs(spec, [32], memo=memo)
    before = process.memory_info().rss
    (counts,) = count_costs(spec, [2048], memo=memo)
    # One map of the first stage has 128 x 512 x 512 floats.
    assert process.memory_info().rss - before < 128 * 512 * 512 * 4
    assert counts.total().flops > 1e12


def test_flags_of_attention_are_as_they_were():
    assert torch.backends.mha.get_fastpath_enabled()
    flash = torch.backends.cuda.flash_sdp_enabled()
    HollowModel(build_model_on_meta()).count(64)
    with pytest.raises(Exception, match="multiples of 32"):
        HollowModel(build_model_on_meta()).count(65)
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cuda.flash_sdp_enabled() == flash


def build_model_on_meta():
    with torch.device("meta"):
        return build_model(spec_of("twister"), ModelInputs(()))


def test_an_operator_of_unknown_cost_is_named():
    library = torch.library.Library("flopstest", "DEF")
    library.define("triple(Tensor x) -> Tensor")
    library.impl("triple", lambda x: 3 * x, "CompositeExplicitAutograd")
    counter = Counter()
    with counter:
        torch.ops.flopstest.triple(torch.ones(2))
    ((line, cost),) = counter.pages[0].items()
    assert (line.operator, line.known, cost.calls, cost.flops) == ("flopstest.triple", False, 1, 0)


def test_a_run_leaves_its_counts_in_a_record(tmp_path, memo):
    spec = RunSpec(task="flops", model=spec_of("twister"), data=DataSpec(image_size=SIDE))
    assert spec.run_id.startswith(f"flops-remamber-tiny-twister-channel-spatial-{SIDE}-")
    execute(Request(spec=spec, store=str(tmp_path)), lambda event: None, Interruption())
    record = Store(tmp_path).find(spec)
    values = {(m.metric, *m.where.items()): m.value for m in record.measurements}
    counts = counted("twister", memo)
    assert values["flops", ("part", "total")] == counts.total().flops
    assert values["macs", ("part", "fusion")] == counts.by_part()["fusion"].macs
    assert values["flops_paper", ("part", "total")] == counts.total().paper
    assert values["parameters", ("part", "decoder")] == counts.parameters["decoder"]
    assert values["flops", ("operator", "selective scan")] == counts.scan().flops
    assert not record.warnings
    assert record.data["tokens"] == TOKENS
