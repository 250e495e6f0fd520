"""Counting, cutting and piecing text."""

from typing import Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.mechanisms.tokens import TokenRatio, pieces

RATIOS = st.floats(0.1, 10, allow_nan=False).map(lambda r: TokenRatio(round(r, 3)))
TEXTS = st.one_of(st.text(max_size=200), st.text(alphabet=" \n\t\u00a0\u2028ab", max_size=60))


@given(TEXTS, st.sampled_from(["before", "after"]))
@settings(deadline=None)
def test_pieces_join_back_to_the_text(text: str, spaces: Literal["before", "after"]) -> None:
    found = pieces(text, spaces)
    assert "".join(found) == text
    assert all(found)


def test_a_piece_is_a_word_with_the_space_before_it_or_after_it() -> None:
    assert pieces("Why is  the sky\nblue? ") == ["Why", " is", "  the", " sky", "\nblue? "]
    assert pieces(" Why is  the sky\nblue? ", "after") == [" Why ", "is  ", "the ", "sky\n", "blue? "]
    assert pieces("a b c d", "after", blanks=2) == ["a ", "b ", "", "c ", "d"]
    assert pieces("a b", blanks=1) == ["a", "", " b"]


def test_a_million_blanks_are_pieced_at_once() -> None:
    blanks = " \n" * 500_000
    assert pieces(blanks) == [blanks]
    assert pieces(f"a b{blanks}") == ["a", f" b{blanks}"]
    assert pieces(f"{blanks}a", "after") == [f"{blanks}a"]


@given(RATIOS, TEXTS, st.one_of(st.integers(0, 400), st.sampled_from([-1, -1e308, 1e308])))
@example(TokenRatio(4), "two tokens", 2)
@example(TokenRatio(4), "none", 0)
@settings(deadline=None)
def test_cut_is_the_longest_beginning_that_counts_at_most_so_much(ratio: TokenRatio, text: str, tokens: float) -> None:
    cut = ratio.cut(text, tokens)
    assert text.startswith(cut)
    assert ratio.count(cut) <= max(tokens, 0)
    assert cut == text or ratio.count(text[: len(cut) + 1]) > tokens


@given(RATIOS, TEXTS, TEXTS)
@settings(deadline=None)
def test_counts_grow_with_the_text(ratio: TokenRatio, text: str, more: str) -> None:
    assert ratio.count(text) <= ratio.count(text + more) <= ratio.count(text) + ratio.count(more)
    assert (ratio.count(text) == 0) == (text == "")


def test_a_prompt_costs_its_text_and_its_frame() -> None:
    ratio = TokenRatio(4, per_message=4, per_request=3)
    assert ratio.prompt(["You are a helpful assistant.", "What is machine learning?"]) == 7 + 4 + 7 + 4 + 3
    assert ratio.prompt([]) == 0
