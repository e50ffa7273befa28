"""Surface forms from dictionary forms: English inflections, Chinese separable verbs and limbs."""

from collections.abc import Iterator
from itertools import product

from kinesphere.engines.choreo.lexicon.english import DOUBLING, IRREGULAR
from kinesphere.engines.choreo.lexicon.terms import Form

DOUBLED = frozenset(DOUBLING.split())
SIDED = {
    "": None, "左": "left", "右": "right", "双": "both", "两只": "both", "两条": "both",
    "一只": None, "一条": None, "单": None, "起": None, "自己的": None, "他的": None, "她的": None,
}  # fmt: skip
COUNTED = {
    "一": 1,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
}


def english_forms(phrase: str) -> Iterator[tuple[str, Form]]:
    """Yields a verb phrase in every inflection of its first word, with its grammatical form."""
    verb, _, rest = phrase.partition(" ")
    tail = f" {rest}" if rest else ""
    yield verb + tail, "base"
    yield _third_person(verb) + tail, "finite"
    yield _participle(verb) + tail, "participle"
    for past in IRREGULAR[verb].split() if verb in IRREGULAR else [_past(verb)]:
        yield past + tail, "finite"


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeou":
        return verb[:-1] + "ies"
    return verb + "s"


def _participle(verb: str) -> str:
    if verb in DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "be")):
        return verb[:-1] + "ing"
    return verb + "ing"


def _past(verb: str) -> str:
    if verb in DOUBLED:
        return verb + verb[-1] + "ed"
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeou":
        return verb[:-1] + "ied"
    return verb + "ed"


def chinese_forms(form: str) -> Iterator[tuple[str, str | None, int | None, bool]]:
    """Yields the surface forms of one dictionary form as (text, side, count, durative).

    A `-` parts the verb from the object of a separable verb, `@` stands where a side may stand.
    Durative forms (挥着手) say that something else happens at the same time.
    """
    if "@" in form:
        before, after = form.split("@")
        for between, side in SIDED.items():
            if before.endswith("起") and between == "起":
                continue
            yield before + between + after, side, None, False
            yield before + "着" + between + after, side, None, True
    elif "-" in form:
        yield from _separated(*form.split("-"))
    else:
        yield form, None, None, False


def _separated(verb: str, thing: str) -> Iterator[tuple[str, str | None, int | None, bool]]:
    for middle in (
        "",
        "了",
        "个",
        "了个",
        "起",
        "起了",
        "一下",
        "了一下",
        verb,
        f"了{verb}",
        f"一{verb}",
    ):
        yield verb + middle + thing, None, None, False
    for middle in ("着", "着自己的"):
        yield verb + middle + thing, None, None, True
    if len(verb) == 1:
        for aspect, (numeral, count), unit in product(
            ("", "了"), COUNTED.items(), ("", "下", "次", "个")
        ):
            yield verb + aspect + numeral + unit + thing, None, count, False
