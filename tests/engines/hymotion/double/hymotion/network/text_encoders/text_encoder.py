"""Encoders that hash words; what they are made of is read from their folders all the same."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

USE_HF_MODELS = os.environ.get("USE_HF_MODELS", "0") == "1"


class Words:
    def __call__(self, text: str, add_special_tokens: bool = True, **_: Any) -> dict[str, Any]:
        words = ["<s>"] * add_special_tokens + text.split() + ["</s>"] * add_special_tokens
        return {"input_ids": [_number(word) for word in words]}

    @classmethod
    def from_pretrained(cls, path: str, **_: Any) -> "Words":
        return cls()


class Table(torch.nn.Module):
    def __init__(self, rows: int, size: int) -> None:
        super().__init__()
        torch.manual_seed(rows)
        self.table = torch.nn.Embedding(rows, size)

    @classmethod
    def from_pretrained(cls, path: str, **_: Any) -> "Table":
        config = json.loads((Path(path) / "config.json").read_text())
        return cls(int(config["vocab_size"]), int(config["hidden_size"]))


LLM_ENCODER_LAYOUT: dict[str, dict[str, Any]] = {
    "qwen3": {
        "module_path": "Qwen/Qwen3-8B" if USE_HF_MODELS else "ckpts/Qwen3-8B",
        "tokenizer_class": Words,
        "text_encoder_class": Table,
    },
}
SENTENCE_EMB_LAYOUT: dict[str, dict[str, Any]] = {
    "clipl": {
        "module_path": "ckpts/clip-vit-large-patch14",
        "tokenizer_class": Words,
        "text_encoder_class": Table,
        "max_length": 77,
    },
}


class HYTextModel(torch.nn.Module):
    def __init__(
        self,
        llm_type: str | None = "qwen3",
        max_length_llm: int = 512,
        sentence_emb_type: str | None = "clipl",
        max_length_sentence_emb: int = 77,
        enable_llm_padding: bool = True,
    ) -> None:
        super().__init__()
        sentence = SENTENCE_EMB_LAYOUT[str(sentence_emb_type)]
        language = LLM_ENCODER_LAYOUT[str(llm_type)]
        self.max_length_sentence_emb = max_length_sentence_emb
        self.sentence_emb_tokenizer = sentence["tokenizer_class"].from_pretrained("")
        self.sentence_emb_text_encoder = sentence["text_encoder_class"].from_pretrained(
            sentence["module_path"]
        )
        self.crop_start = 7
        self.max_length_llm = max_length_llm + self.crop_start
        self.llm_tokenizer = language["tokenizer_class"].from_pretrained("")
        self.llm_text_encoder = language["text_encoder_class"].from_pretrained(
            language["module_path"], low_cpu_mem_usage=True, torch_dtype=torch.bfloat16
        )

    @torch.no_grad()
    def encode(self, text: list[str]) -> tuple[Any, Any, Any]:
        room = self.max_length_llm - self.crop_start
        read = [self.llm_tokenizer(each, add_special_tokens=False)["input_ids"] for each in text]
        lengths = torch.tensor([min(len(tokens), room) for tokens in read])
        padded = torch.tensor([(tokens + [0] * room)[:room] for tokens in read])
        context = self.llm_text_encoder.table(padded % self.llm_text_encoder.table.num_embeddings)
        limit = self.max_length_sentence_emb
        rows = [self.sentence_emb_tokenizer(each)["input_ids"][:limit] for each in text]
        table = self.sentence_emb_text_encoder.table
        sentence = [table(torch.tensor(row) % table.num_embeddings).mean(0) for row in rows]
        return torch.stack(sentence)[:, None], context.bfloat16(), lengths


def _number(word: str) -> int:
    return int.from_bytes(hashlib.md5(word.encode()).digest()[:4], "big")
