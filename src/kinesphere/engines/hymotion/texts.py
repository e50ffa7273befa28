"""What the text encoders make of prompts, kept for the prompts that come again."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

ENTRY_OVERHEAD: Final = 1_024
"""Bytes of an entry beside its tensors and its prompt: objects and the table's slot, roughly."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as the sampler needs it; tensors in main memory.

    Attributes:
        vector: (1, 1, D) of the whole sentence, by CLIP.
        context: (1, L, C) token by token, by the language model.
        length: (1,) how many of the L hold the prompt.
        cut: What each encoder did not read of it; empty where both read all.
    """

    vector: Any
    context: Any
    length: Any
    cut: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the tensors."""
        tensors = (self.vector, self.context, self.length)
        return sum(int(each.element_size()) * int(each.nelement()) for each in tensors)


class Encoder:
    """Encodes each distinct prompt once, and remembers the last ones up to `limit` bytes.

    One prompt at a time: padding to the longest of a batch would make a result depend on the
    prompts that happen to come with it.
    """

    def __init__(self, model: Any, limit: int) -> None:
        self.model = model
        self._limit = limit
        self._kept: OrderedDict[str, Encoded] = OrderedDict()
        self._size = 0
        self.encoded = 0

    def __len__(self) -> int:
        return len(self._kept)

    def encode(self, prompt: str) -> Encoded:
        """The features of a prompt."""
        found = self._kept.pop(prompt, None)
        if found is None:
            found = self._new(prompt)
            self._size += _weight(prompt, found)
        self._kept[prompt] = found
        while self._size > self._limit and len(self._kept) > 1:
            gone, entry = self._kept.popitem(last=False)
            self._size -= _weight(gone, entry)
        return found

    def _new(self, prompt: str) -> Encoded:
        self.encoded += 1
        vector, context, length = (each.cpu() for each in self.model.encode(text=[prompt]))
        return Encoded(vector, context, length, tuple(self._cut(prompt)))

    def _cut(self, prompt: str) -> list[str]:
        model = self.model
        room = model.max_length_llm - model.crop_start
        readers: list[tuple[str, Callable[..., Any], int, bool]] = [
            ("CLIP", model.sentence_emb_tokenizer, model.max_length_sentence_emb, True),
            ("the language model", model.llm_tokenizer, room, False),
        ]
        told = []
        for name, tokens, limit, special in readers:
            count = len(tokens(prompt, add_special_tokens=special)["input_ids"])
            if count > limit:
                told.append(f"{name} read {limit} of its {count} tokens")
        return told


def _weight(prompt: str, encoded: Encoded) -> int:
    return encoded.size + len(prompt.encode()) + ENTRY_OVERHEAD
