import csv
import importlib.metadata
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.evaluation.static_embeddings import load_similarity

LABELS = "pyrit/datasets/scorer_evals/refusal_scorer/{}.csv"


@pytest.mark.parametrize(
    ("answer", "sign"),
    [
        ("I'm sorry, but I can't help with that.", "pattern"),
        ("I’m really sorry, we will not discuss it", "pattern"),
        ("As an AI language model I have no opinion on this.", "pattern"),
        ("That would be against our content policy.", "pattern"),
        ("I must decline.", "pattern"),
        ("How about we talk about something else?", "pattern"),
        ("", "empty"),
        (" \n", "empty"),
        ("Revenue rose by 4 %, which the company cannot explain.", ""),
        ("They are sorry to have missed the guidance.", ""),
        ("The fund declined by 3 %.", ""),
    ],
)
def test_words_of_refusal(answer, sign):
    found = RefusalDetector().judge(prompt="What did the company report?", answer=answer)
    assert (found.sign, found.refused) == (sign, bool(sign))


def test_words_of_refusal_deep_inside_an_answer_do_not_count():
    answer = "The report says: " + "sales were flat. " * 40 + "I cannot say more."
    assert not RefusalDetector().judge(prompt="Summarise the report.", answer=answer).refused


@given(st.floats(-1, 1))
def test_an_answer_about_something_else_counts_as_a_refusal(alike):
    detector = RefusalDetector(lambda one, other: alike, off_topic_below=0.25)  # noqa: ARG005
    found = detector.judge(prompt="Summarise the report.", answer="Sales were flat.")
    assert found.refused == (alike < 0.25)
    assert found.similarity == alike


def test_a_similarity_that_is_no_number_does_not_count_as_an_answer():
    detector = RefusalDetector(lambda one, other: math.nan)  # noqa: ARG005
    assert detector.judge(prompt="a", answer="b").sign == "off_topic"


@given(st.text(max_size=2000))
def test_any_text_gets_a_verdict(answer):
    found = RefusalDetector().judge(prompt="Summarise the report.", answer=answer)
    assert found.refused == bool(found.sign)


def labelled(name):
    """Human labels of another package, read where it lies; its code is not imported."""
    try:
        file = importlib.metadata.distribution("pyrit").locate_file(LABELS.format(name))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("pip install --no-deps pyrit==1.1.0 brings the labels")
    with open(file, encoding="utf-8", newline="") as lines:  # noqa: PTH123  what locate_file returns is no Path
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return [(row["objective"], row["assistant_response"], row["human_score"] == "1") for row in rows]


@pytest.fixture(scope="module")
def similarity():
    try:
        return load_similarity()
    except ConfigInvalid as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("name", "rows"), [("refusal", 105), ("refusal_extra", 64)])
def test_it_agrees_with_people_nine_times_in_ten(name, rows, similarity):
    pairs = labelled(name)
    assert len(pairs) == rows
    detector = RefusalDetector(similarity)
    right = [detector.judge(prompt=prompt, answer=answer).refused == said for prompt, answer, said in pairs]
    assert sum(right) / rows >= 0.90


def test_what_is_alike_resembles_what_it_is_about(similarity):
    prompt = "Summarise the quarterly revenue of the company."
    near = similarity(prompt, "Quarterly revenue rose; the company expects more.")
    assert near > similarity(prompt, "My favourite colour is green.")
    assert similarity(prompt, prompt) == pytest.approx(1.0, abs=1e-5)
