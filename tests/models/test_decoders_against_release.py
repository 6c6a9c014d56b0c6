import pytest
from golden import check_operation, golden

from remamber.models._decoders import ConvDecoder, Mixer

MIXER = [
    ("conv1.conv.", "0."),
    ("conv1.bn.", "1."),
    ("dwconv.", "3."),
    ("norm.", "4."),
    ("conv2.conv.", "6."),
    ("conv2.bn.", "7."),
]
DECODER = [(f"mixer{3 - i}.{old}", f"mixers.{i}.{new}") for i in range(3) for old, new in MIXER] + [
    ("neck.0.", "neck.0.0."),
    ("neck.1.", "neck.0.1."),
    ("neck.4.", "neck.1.0."),
    ("neck.5.", "neck.1.1."),
    ("neck.8.", "head."),
]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_mixer_equals_the_release(mode):
    data = golden(f"ops_resblock_{mode}.safetensors")
    mixer = Mixer(16, 24).train(mode == "train")
    check_operation(mixer, data, MIXER)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_conv_decoder_equals_the_release(mode):
    decoder = ConvDecoder((8, 16, 32, 64), width=32).train(mode == "train")

    def run(*deepest_first):
        return decoder(list(reversed(deepest_first)))

    data = golden(f"ops_conv_decoder_{mode}.safetensors")
    check_operation(decoder, data, DECODER, call=run, atol=2e-5)
