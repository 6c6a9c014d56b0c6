"""Tiny CLIP and BERT folders in the hub's own file formats, made by transformers itself."""

import json

import torch

CLIP_WORDS = ["the", "red", "ball", "on", "left", "man"]
BERT_WORDS = ["the", "red", "ball", "on", "left", "man", "##s", "##y"]
WIDTH = {"clip": 24, "bert": 32}
POSITIONS = {"clip": 16, "bert": 40}


def write_clip(folder, *, seed=0, fast=False, text_only=False):
    """As openai/clip-vit-large-patch14: vocab.json and merges.txt, text and vision together."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextModel

    folder.mkdir(parents=True)
    letters = sorted({letter for word in CLIP_WORDS for letter in word})
    merges, vocabulary = [], [*letters, *(f"{letter}</w>" for letter in letters)]
    for word in CLIP_WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            merges.append(f"{pieces[0]} {pieces[1]}")
            pieces[:2] = [pieces[0] + pieces[1]]
            vocabulary.append(pieces[0])
    vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
    ids = {token: i for i, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges), ""]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer",
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "pad_token": "<|endoftext|>",
                "model_max_length": 16,
            }
        )
    )
    if fast:
        from transformers import CLIPTokenizerFast

        CLIPTokenizerFast.from_pretrained(str(folder)).save_pretrained(str(folder))
        (folder / "vocab.json").unlink(missing_ok=True)
        (folder / "merges.txt").unlink(missing_ok=True)
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 8}
    width = WIDTH["clip"]
    text = {
        "vocab_size": len(ids),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "max_position_embeddings": POSITIONS["clip"],
        "bos_token_id": ids["<|startoftext|>"],
        # The published configuration says 2, whatever the end token is.
        "eos_token_id": 2,
        **size,
    }
    vision = {"hidden_size": 16, "intermediate_size": 16, "image_size": 32, "patch_size": 16}
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=text, vision_config={**vision, **size}, projection_dim=8)
    model = CLIPTextModel(config.text_config) if text_only else CLIPModel(config)
    model.save_pretrained(str(folder))
    return folder


def write_bert(folder, *, seed=0, fast=False):
    """As google-bert/bert-base-uncased: vocab.txt, and the weights of pre-training."""
    from transformers import BertConfig, BertForPreTraining

    folder.mkdir(parents=True)
    letters = sorted({letter for word in CLIP_WORDS for letter in word})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *BERT_WORDS]
    vocabulary += [v for v in letters if v not in vocabulary]
    (folder / "vocab.txt").write_text("\n".join([*vocabulary, ""]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    if fast:
        from transformers import BertTokenizerFast

        BertTokenizerFast.from_pretrained(str(folder)).save_pretrained(str(folder))
        (folder / "vocab.txt").unlink(missing_ok=True)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH["bert"],
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS["bert"],
    )
    torch.manual_seed(seed)
    BertForPreTraining(config).save_pretrained(str(folder))
    return folder


WRITE = {"clip": write_clip, "bert": write_bert}
FOLDER = {"clip": "clip-vit-large-patch14", "bert": "bert-base-uncased"}
