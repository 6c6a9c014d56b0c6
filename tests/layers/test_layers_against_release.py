import pytest
from golden import check_operation, golden

from remamber.layers.channel_scan import GatedScan
from remamber.layers.patch import Downsample, PatchEmbed
from remamber.layers.spatial_scan import SpatialScan
from remamber.layers.vss import VSSBlock

BACKENDS = ["reference", "auto"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_spatial_scan_equals_the_release(backend):
    scan = SpatialScan(24, 24, backend=backend)
    check_operation(scan, golden("ops_ss2d_v4noz.safetensors"), [])


@pytest.mark.parametrize("backend", BACKENDS)
def test_spatial_scan_with_four_states_equals_the_release(backend):
    scan = SpatialScan(24, 24, d_state=4, backend=backend)
    check_operation(scan, golden("ops_ss2d_v4noz_n4.safetensors"), [])


@pytest.mark.parametrize("backend", BACKENDS)
def test_vss_block_equals_the_release(backend):
    block = VSSBlock(24, backend=backend)
    check_operation(block, golden("ops_vss_block_mlp.safetensors"), [])


def test_patch_embedding_equals_the_release_at_an_odd_size():
    names = [("5.", "3."), ("7.", "4."), ("2.", "1.")]
    data = golden("ops_patch_embed_v2.safetensors")
    channels = data["state.7.weight"].shape[0]
    check_operation(PatchEmbed(channels), data, names)


def test_downsample_equals_the_release_at_an_odd_size():
    data = golden("ops_downsample_v3.safetensors")
    channels = data["state.1.weight"].shape[1]
    check_operation(Downsample(channels, 2 * channels), data, [("1.", "0."), ("3.", "1.")])


@pytest.mark.parametrize("backend", BACKENDS)
def test_gated_scan_equals_the_release(backend):
    scan = GatedScan(24, backend=backend)

    def as_image(x):
        return scan(x.squeeze(2).transpose(1, 2)).transpose(1, 2).unsqueeze(2)

    check_operation(scan, golden("ops_ss2d_v052d.safetensors"), [], call=as_image)
