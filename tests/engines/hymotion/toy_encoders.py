"""The two text encoders at toy size, with random weights: a Qwen3 and a CLIP."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
)


def write(weights: Path) -> None:
    """Both models with their tokenizers, in the folders that the engine looks in."""
    _qwen(weights / "Qwen3-8B")
    _clip(weights / "clip-vit-large-patch14")


def _qwen(folder: Path) -> None:
    transformers, tokenizers = import_module("transformers"), import_module("tokenizers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    table = {letter: number for number, letter in enumerate([*letters, *special])}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=table, merges=[]))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=_TEMPLATE,
    )
    tokenizer.save_pretrained(folder)
    shape: dict[str, Any] = {
        "vocab_size": len(table),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 2048,
    }
    transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**shape)).save_pretrained(folder)


def _clip(folder: Path) -> None:
    transformers = import_module("transformers")
    tokenizers = import_module("tokenizers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    names = [*letters, *(f"{letter}</w>" for letter in letters)]
    table = {name: number for number, name in enumerate(names)}
    table |= {"<|startoftext|>": len(table), "<|endoftext|>": len(table) + 1}
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(table))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    ).save_pretrained(folder)
    shape: dict[str, Any] = {
        "vocab_size": len(table),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "bos_token_id": table["<|startoftext|>"],
        "eos_token_id": table["<|endoftext|>"],
        "projection_dim": 32,
    }
    transformers.CLIPTextModel(transformers.CLIPTextConfig(**shape)).save_pretrained(folder)
