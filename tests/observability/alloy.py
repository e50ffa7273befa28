"""Reads Alloy's configuration language, as far as ours uses it: blocks, attributes, expressions.

Grafana's own program is not in any registry that the tests reach. This follows its published
syntax (https://grafana.com/docs/alloy/latest/get-started/configuration-syntax/).
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

_TOKEN: Final = re.compile(
    r'(?P<skip>[ \t\r]+|//[^\n]*)|(?P<end>\n)|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[{}\[\](),=])"
)


class NotAlloy(Exception):
    """What was read is not a configuration."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What another component exports, or a function of the standard library, by its name."""

    name: str


@dataclass
class Block:
    """One block: its name, its label or "", and what is in it."""

    name: str
    label: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    def references(self) -> set[str]:
        """Every name that is referred to, in the blocks inside too."""
        found = {r.name for value in self.attributes.values() for r in _references(value)}
        return found.union(*(block.references() for block in self.blocks))

    def inside(self, name: str) -> "Block":
        """The one block of this name inside."""
        (found,) = [block for block in self.blocks if block.name == name]
        return found


def _references(value: Any) -> list[Reference]:
    if isinstance(value, Reference):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for part in parts for found in _references(part)]


def read(text: str) -> Block:
    """The file as one block without a name. Raises NotAlloy."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotAlloy(f"line {text.count(chr(10), 0, at) + 1}: {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup != "skip":
            tokens.append((str(match.lastgroup), match.group()))
    reader = _Reader([*tokens, ("end", "\n")])
    return reader.body(Block(""), top=True)


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def body(self, block: Block, *, top: bool = False) -> Block:
        """Attributes and blocks, each on lines of its own, until the end of `block`."""
        while True:
            self._lines()
            if top and self._at >= len(self._tokens):
                return block
            if self._next("}"):
                return block
            name = self._take("word")
            if self._next("="):
                if name in block.attributes or "." in name:
                    raise NotAlloy(f"{name} is given twice, or is no name of an attribute")
                block.attributes[name] = self._value()
            else:
                label = ""
                if self._kind() == "string":
                    label = self._take("string")[1:-1]
                self._expect("{")
                block.blocks.append(self.body(Block(name, label)))
            if not (top and self._at >= len(self._tokens)):
                self._take("end")

    def _value(self) -> Any:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "string":
            return text[1:-1]
        if kind == "number":
            return float(text)
        if text == "[":
            return self._listed("]", self._value)
        if text == "{":
            return dict(self._listed("}", self._pair))
        if kind != "word":
            raise NotAlloy(f"{text!r} is no value")
        if text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text]
        if self._next("("):
            self._listed(")", self._value)
        return Reference(text)

    def _pair(self) -> tuple[str, Any]:
        kind = self._kind()
        name = self._take("string")[1:-1] if kind == "string" else self._take("word")
        self._expect("=")
        return name, self._value()

    def _listed(self, end: str, one: Any) -> list[Any]:
        found: list[Any] = []
        while True:
            self._lines()
            if self._next(end):
                return found
            found.append(one())
            # The last needs no comma, but where its line ends before the bracket.
            if not self._next(","):
                self._expect(end)
                return found

    def _lines(self) -> None:
        while self._at < len(self._tokens) and self._kind() == "end":
            self._at += 1

    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def _take(self, kind: str) -> str:
        found, text = self._tokens[self._at]
        if found != kind:
            raise NotAlloy(f"{text!r} stands where a {kind} should")
        self._at += 1
        return text

    def _next(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._next(sign):
            raise NotAlloy(f"{self._tokens[self._at][1]!r} stands where {sign} should")
