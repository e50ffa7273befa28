"""Reading prompts: the table of prompts, the lexicon's reach, and what holds for any text."""

import re
import unicodedata
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.engines.choreo.lexicon import chinese_terms, english_terms
from kinesphere.engines.choreo.lexicon.terms import Doing, Trait
from kinesphere.engines.choreo.reading import NotUnderstood, read, suggestions
from kinesphere.engines.choreo.script import STYLES, VERBS, Action, Script
from tests.engines.choreo.prompts import CHINESE, ENGLISH

PROMPTS = [*ENGLISH.items(), *CHINESE.items()]


def reading(prompt: str) -> tuple[tuple[Action, ...], tuple[str, ...]]:
    try:
        script = read(prompt)
    except NotUnderstood as nothing:
        return (), nothing.ignored
    return script.actions, script.ignored


def holds(fact: str, action: Action) -> bool:
    match fact[0], fact[1:]:
        case "x", count if count.isdigit():
            return action.count == int(count)
        case ">", direction:
            return action.direction == direction
        case "@", path:
            return action.path == path
        case "~", style:
            return style in action.styles
        case "-", style:
            return style not in action.styles
    match fact:
        case "left" | "right" | "both":
            return action.side == fact
        case "slow":
            return action.speed < 1
        case "fast":
            return action.speed > 1
        case "big":
            return action.amplitude > 1
        case "small":
            return action.amplitude < 1
    if fact.endswith("°"):
        return action.degrees == float(fact[:-1])
    if re.fullmatch(r"[\d.]+s", fact):
        return action.seconds == float(fact[:-1])
    raise AssertionError(f"the table has an unknown fact: {fact}")


def shortcomings(prompt: str, facts: str) -> list[str]:
    """Returns every fact that the reading of a prompt lacks."""
    actions, ignored = reading(prompt)
    told, exclaimed, unknown = facts.partition("!")
    expected = [clause.split() for clause in told.split(";") if clause.strip()]
    found = [f"ignored {ignored}" for _ in [0] if exclaimed and list(ignored) != unknown.split()]
    verbs = [[action.verb, *sorted(o.verb for o in action.overlay)] for action in actions]
    wanted = [
        [words[0], *sorted(word[1:] for word in words[1:] if word[0] == "+")] for words in expected
    ]
    if verbs != wanted:
        return [*found, f"plays {verbs}, not {wanted}"]
    for words, action in zip(expected, actions, strict=True):
        found += [
            f"{fact} does not hold of {action}"
            for fact in words[1:]
            if fact[0] != "+" and not holds(fact, action)
        ]
    return found


@pytest.mark.parametrize(("prompt", "facts"), PROMPTS, ids=[prompt for prompt, _ in PROMPTS])
def test_prompt_is_read_as_an_animator_means_it(prompt: str, facts: str) -> None:
    assert shortcomings(prompt, facts) == []


def test_lexicon_has_at_least_400_dictionary_forms_in_each_language() -> None:
    """Counted without inflections: the forms that the tables write out."""
    english = {form for form, term in english_terms() if not inflected(term)}
    chinese = {form for form, _ in chinese_terms()}
    assert len(english) >= 400
    assert len(chinese) >= 400


def inflected(term: object) -> bool:
    return isinstance(term, Doing) and term.form in {"finite", "participle"}


@pytest.mark.parametrize("terms", [english_terms, chinese_terms])
def test_every_verb_and_style_has_words(terms: object) -> None:
    assert callable(terms)
    words = dict(terms())
    verbs = {term.action.verb for term in words.values() if isinstance(term, Doing)}
    styles = {
        term.value for term in words.values() if isinstance(term, Trait) and term.field == "style"
    }
    assert verbs == set(VERBS)
    assert styles == set(STYLES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_suggested_word_is_understood(language: str) -> None:
    for verb, word in plainest(language).items():
        actions, ignored = reading(word)
        assert [action.verb for action in actions] == [verb], word
        assert ignored == ()


def plainest(language: str) -> dict[str, str]:
    from kinesphere.engines.choreo.lexicon import names

    found: dict[str, str] = {}
    for form, verb in names(language).items():
        found.setdefault(verb, form)
    return found


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_description_of_a_verb_reads_as_that_verb(verb: str) -> None:
    actions, _ = reading(VERBS[verb].partition("(")[0].partition(",")[0])
    assert verb in {action.verb for action in actions}


def test_multi_word_english_forms_hold_no_article_inside() -> None:
    """Articles may stand between the words of any phrase; written down, one hides the phrase."""
    assert [form for form, _ in english_terms() if {"a", "an", "the"} & set(form.split()[1:])] == []


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "\n\t",
        "🕺🔥",
        "...",
        "？！",
        "the and of",
        "的了吗",
        "doesn't jump",
        "不要跳",
        "\x00\x07",
    ],
)
def test_prompt_without_a_movement_is_not_understood(prompt: str) -> None:
    with pytest.raises(NotUnderstood):
        read(prompt)


@pytest.mark.parametrize(
    ("prompt", "ignored"),
    [
        ("a man walks to the fridge and defenestrates", ("fridge", "defenestrates")),
        ("他走到冰箱旁边跳", ("冰箱旁边",)),
        ("WALK to the Fridge", ("Fridge",)),
        ("the walk is long", ("walk", "long")),
        ("jump 🔥", ("🔥",)),
        ("jump while running", ("while",)),
        ("two men walk", ("two",)),
        ("he puts on his running shoes and walks", ("running", "shoes")),
        ("穿过走廊走", ("穿", "走廊")),
    ],
)
def test_words_not_understood_are_told(prompt: str, ignored: tuple[str, ...]) -> None:
    assert reading(prompt)[1] == ignored


def test_understood_words_stand_as_written_in_reading_order() -> None:
    script = read("A Tired man WALKS in a circle, then waves twice")
    assert script.understood == ("Tired", "WALKS", "in a circle", "then", "waves", "twice")
    assert read("一个舞者旋轉後揮手").understood == ("旋轉", "後", "揮手")


def test_intensity_orders_styles() -> None:
    (action,) = read("a slightly sad, very angry man walks").actions
    assert action.styles == ("angry", "sad")


def test_very_strengthens_and_slightly_weakens() -> None:
    speeds = [
        read(f"walk {how}").actions[0].speed for how in ("very slowly", "slowly", "slightly slowly")
    ]
    assert speeds == sorted(speeds)
    assert len(set(speeds)) == 3


def test_suggestions_put_the_nearest_first_and_speak_the_language() -> None:
    assert suggestions(("wlak", "jumpp"), "en")[:2] in {("walk", "jump"), ("walk", "walk around")}
    assert "走路" in suggestions(("冰箱",), "zh")


def test_ten_thousand_words_are_read() -> None:
    words = "a man walks after waving before sitting, 然后跳两下 then defenestrates "
    script = read(words * 1200)
    assert len(script.actions) == 4 * 1200


ALPHABET = (
    "abcdefgwalkjumps tired then,.-'’0123456789°０３ｗ\u200d\x00\nİßﬁ🕺"
    "一二三两圈次走跳轉转后前边着得的不慢左手脚"
)
WORDS = sorted({form for form, _ in chain(english_terms(), chinese_terms())})


def check(prompt: str) -> None:
    normal = unicodedata.normalize("NFKC", prompt)
    try:
        script = read(prompt)
    except NotUnderstood as nothing:
        assert all(word in normal for word in nothing.ignored)
        return
    assert isinstance(script, Script)
    assert script.actions
    assert script == read(prompt)
    assert all(word in normal for word in (*script.understood, *script.ignored))
    assert not any(over.overlay for action in script.actions for over in action.overlay)
    for action in (*script.actions, *chain.from_iterable(a.overlay for a in script.actions)):
        assert action.verb in VERBS
        assert set(action.styles) <= set(STYLES)
        assert 0.3 <= action.speed <= 2.5
        assert 0.4 <= action.amplitude <= 2.0
        assert action.count is None or 0 < action.count <= 1000
        assert action.seconds is None or action.seconds > 0


@given(st.text(max_size=200))
def test_any_text_is_read_or_not_understood(prompt: str) -> None:
    check(prompt)


@given(st.text(ALPHABET, max_size=80))
def test_any_text_of_known_letters_is_read_or_not_understood(prompt: str) -> None:
    check(prompt)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from([" ", ", ", ""]))
def test_any_row_of_known_words_is_read_or_not_understood(words: list[str], glue: str) -> None:
    check(glue.join(words))
