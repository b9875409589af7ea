"""Stuffing citations, or claims, does not buy coverage."""

from __future__ import annotations

import json
import math

import pytest

from ordinis_learn.answers.citations import citation_coverage
from ordinis_learn.answers.repair import NOT_JSON, read_answer
from ordinis_learn.records import QuestionDocument

SUPPLIED = (QuestionDocument(doc_id="10-K", locator="p. 3"), QuestionDocument(doc_id="memo"))


def claim(text, *cited):
    return {"text": text, "citations": [{"doc_id": doc_id, "locator": locator} for doc_id, locator in cited]}


def counted(*claims, **more):
    found = citation_coverage({"claims": list(claims), **more}, documents=SUPPLIED)
    return found.covered, found.claims


HONEST = (claim("Revenue rose.", ("10-K", "p. 3")), claim("Profit fell."))


@pytest.mark.parametrize(
    ("claims", "covered"),
    [
        (HONEST, (1, 2)),
        ((HONEST[0], claim("Profit fell.", *[(f"made up {n}", "") for n in range(50)])), (1, 2)),
        ((claim("Revenue rose.", *[("10-K", "p. 3")] * 50), HONEST[1]), (1, 2)),
        ((HONEST[0], claim("Profit fell.", ("10-K", "p. 99"))), (1, 2)),
        ((*HONEST, *[claim(" revenue  ROSE. ", ("10-K", "p. 3"))] * 50), (1, 2)),
        ((*HONEST, *[claim("  ", ("10-K", "p. 3"))] * 50), (1, 2)),
        ((HONEST[0], claim("Profit fell.", ("memo", "anywhere"))), (2, 2)),
    ],
    ids=[
        "honest",
        "made up",
        "repeated",
        "wrong place",
        "claims repeated",
        "claims without words",
        "whole document",
    ],
)
def test_only_what_resolves_covers_a_claim(claims, covered):
    assert counted(*claims) == covered


def test_uncertainties_are_left_out():
    unsure = {"text": "Margins may fall.", "uncertain": True, "citations": [{"doc_id": "memo"}]}
    assert counted(*HONEST, unsure, uncertainties=["why"]) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [None, [], "text", {}, {"claims": None}, {"claims": [None, 3, {"text": 5}, {"citations": "memo"}]}],
)
def test_what_has_no_claims_counts_none(answer):
    found = citation_coverage(answer, documents=SUPPLIED)
    assert (found.claims, found.covered, found.cited) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Sure: {"a": "}"} done', {"a": "}"}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": "x,}", "b": True,}', {"a": "x,}", "b": True}),
        ('{"a": "None of these",}', {"a": "None of these"}),
        ('{"a": [1, 2', NOT_JSON),
        ('{"a": NaN}', NOT_JSON),
        ('{"a": 1, "a": 2}', NOT_JSON),
        ("[" * 100_000, NOT_JSON),
        ("no", NOT_JSON),
        ("", NOT_JSON),
    ],
)
def test_the_repair_rewrites_what_is_no_json_and_invents_nothing(text, after):
    read = read_answer(text)
    assert read.before is NOT_JSON
    assert read.after == after


def measured(*cited, supplied=20, required=()):
    """The measures of an answer whose claims cite documents by number."""
    from ordinis_learn.answers import Answer, judge_answer, measure_answers
    from ordinis_learn.evaluation import RefusalDetector
    from ordinis_learn.records import Question

    documents = tuple(QuestionDocument(doc_id=f"d{n}") for n in range(supplied))
    question = Question(item_id="q", task="t", variables={}, documents=documents, required=required)
    claims = [
        {"text": f"So it is, {number}.", "citations": [{"doc_id": f"d{n}"} for n in numbers]}
        for number, numbers in enumerate(cited)
    ]
    judged = judge_answer(
        question,
        Answer(text=json.dumps({"claims": claims})),
        prompt="Why?",
        schema=None,
        detector=RefusalDetector(),
    )
    return measure_answers([judged]).values


@pytest.mark.parametrize("claims", [1, 5, 20])
def test_citing_everything_for_everything_is_a_surplus_however_many_claims(claims):
    honest, stuffed = measured(*[[0]] * claims), measured(*[range(20)] * claims)
    assert honest["citation_coverage"] == stuffed["citation_coverage"] == 1.0
    assert (honest["citation_surplus"], stuffed["citation_surplus"]) == (0.0, 1.0)


def test_what_does_not_resolve_or_could_not_be_more_is_no_surplus():
    assert measured([0, 99, 98])["citation_surplus"] == 0.0
    assert measured([0], supplied=1)["citation_surplus"] == 0.0
    assert measured([0, 1, 2], [])["citation_surplus"] == pytest.approx(2 / 19 / 2)


def test_where_documents_are_graded_spreading_citations_over_claims_does_not_help():
    graded = {"required": ("d0",)}
    honest = measured([0], [0], **graded)
    spread = measured(*[[n] for n in range(20)], **graded)
    assert (honest["citation_accuracy"], spread["citation_accuracy"]) == (1.0, 1 / 20)
    assert (honest["required_recall"], spread["required_recall"], spread["citation_surplus"]) == (1, 1, 0)
    assert measured([0, 99], **graded)["citation_accuracy"] == 0.5
    ungraded = measured([1], [7])
    assert (ungraded["graded_share"], honest["graded_share"]) == (0.0, 1.0)
    assert math.isnan(ungraded["citation_accuracy"])  # nobody said which hold the answer


def test_a_bad_output_is_no_deflection_and_a_deflection_no_bad_output():
    from ordinis_learn.answers import Answer, OutputSchema, judge_answer
    from ordinis_learn.evaluation import RefusalDetector
    from ordinis_learn.records import Question

    detector = RefusalDetector(lambda _one, _other: 0.0)  # whatever is said, it resembles nothing

    def refused(text):
        schema = OutputSchema({"type": "object", "required": ["claims"]})
        question = Question(item_id="q", task="t", variables={})
        return judge_answer(
            question, Answer(text=text), prompt="Why?", schema=schema, detector=detector
        ).refused

    assert not refused('{"claim": "So it is."}')
    assert refused('{"claim": "I\'m sorry, but I can\'t help with that."}')
    assert refused("Let us speak of the weather.")
    assert not refused('{"claims": []}')
