"""Vectors for texts: of length one, the same for the same text, and nearer where words are shared."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.embeddings import embed

PROMPTS = st.one_of(st.text(max_size=200), st.lists(st.integers(0, 200_000), max_size=50))
DIMENSIONS = st.integers(1, 1024)
WORDS = st.lists(st.from_regex(r"[b-df-hj-np-tv-z]{5,9}", fullmatch=True), min_size=6, max_size=6, unique=True)
"""Six words of letters that no common word is made of."""


def cosine(one: str | list[int], other: str | list[int], dimensions: int = 768) -> float:
    return math.fsum(a * b for a, b in zip(embed(one, dimensions), embed(other, dimensions), strict=True))


@given(PROMPTS, DIMENSIONS)
@settings(deadline=None)
def test_a_vector_has_its_dimensions_and_length_one(prompt: str | list[int], dimensions: int) -> None:
    vector = embed(prompt, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.fsum(value * value for value in vector), 1, rel_tol=1e-9)


@given(PROMPTS, DIMENSIONS)
@settings(deadline=None)
def test_the_same_prompt_has_the_same_vector(prompt: str | list[int], dimensions: int) -> None:
    assert embed(prompt, dimensions) == embed(prompt, dimensions)
    assert math.isclose(cosine(prompt, prompt, dimensions), 1, rel_tol=1e-9)


@given(PROMPTS, PROMPTS, DIMENSIONS)
@settings(deadline=None)
def test_kinship_is_mutual_and_at_most_one(one: str | list[int], other: str | list[int], dimensions: int) -> None:
    kinship = cosine(one, other, dimensions)
    assert kinship == cosine(other, one, dimensions)
    assert -1 - 1e-9 <= kinship <= 1 + 1e-9


@given(WORDS)
@settings(deadline=None)
def test_texts_that_share_words_are_nearer(words: list[str]) -> None:
    text, near, far = " ".join(words[:3]), " ".join([words[0], words[1], words[3]]), " ".join(words[3:])
    assert cosine(text, near) > cosine(text, far)


@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=6, unique=True))
@settings(deadline=None)
def test_lists_that_share_tokens_are_nearer(tokens: list[int]) -> None:
    assert cosine(tokens[:3], [*tokens[1:3], tokens[3]]) > cosine(tokens[:3], tokens[3:])


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("Glaciers form from snow", "How does a glacier form?", "Contracts bind two parties"),
        ("the law of contracts", "contract law", "the colour of the sky"),
        ("KÄSEFONDUE", "Käsefondue", "Wein"),
        ("cats", "cat", "dog"),
        ("氷河はどうやってできますか", "氷河とは何ですか", "契約"),
    ],
)
def test_kinship_that_a_reader_sees(text: str, near: str, far: str) -> None:
    assert cosine(text, near) > cosine(text, far) + 0.1


@pytest.mark.parametrize("dimensions", [0, -3])
def test_there_is_at_least_one_dimension(dimensions: int) -> None:
    assert len(embed("text", dimensions)) == 1


def test_a_vector_is_the_same_in_every_process() -> None:
    assert [round(value, 3) for value in embed("contract", 4)] == [-0.346, -0.777, 0.086, -0.518]
