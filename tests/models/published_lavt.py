"""LAVT as published, with BERT-base and without weights: for counts that need none."""

import torch

from remamber.models._lavt_decoder import LavtDecoder
from remamber.models._lavt_encoder import LavtEncoder
from remamber.models._lavt_sizes import LAVT_SIZES
from remamber.models._text import Text, TextEncoder, TextFeatures
from remamber.models.lavt import Lavt


class Bert(TextEncoder):
    """BERT-base without a pooler, from its configuration."""

    def __init__(self):
        super().__init__()
        from transformers import BertConfig, BertModel

        self.tower = BertModel(BertConfig(), add_pooling_layer=False)
        self.width = self.tower.config.hidden_size

    def forward(self, ids, mask):
        tokens = self.tower(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return TextFeatures(tokens, mask, tokens[:, 0])


def published_lavt():
    """On the meta device."""
    size = LAVT_SIZES["base"]
    with torch.device("meta"):
        text = Text(Bert(), None)
        encoder = LavtEncoder(size, text_width=text.encoder.width, seed=0)
        decoder = LavtDecoder(size.dims, width=size.decoder_width)
        return Lavt(text=text, encoder=encoder, decoder=decoder).eval()
