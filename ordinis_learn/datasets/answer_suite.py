"""What a retrieval evaluation set must look like."""

from __future__ import annotations

from typing import Any, Final

from ordinis_learn.datasets.answers import ANSWER_SCHEMA
from ordinis_learn.datasets.expectations import EMPTY, Expectation, Suite, judge
from ordinis_learn.datasets.totals import count_rows_where, measure, out_of_order
from ordinis_learn.records import DatasetValidation

__all__ = ["answer_suite", "validate_answers"]

_REQUIRED: Final = ("query_id", "query", "index_version", "model_used", "ts_response", "retrieved", "cited")
_LEAST_RETRIEVED_SHARE: Final = 0.5
_LEAST_GRADED_SHARE: Final = 0.1
_LEAST_CITED_RETRIEVED: Final = 0.9
_LEAST_DISTINCT_QUERIES: Final = 0.05
"""One query asked with a hundred settings is one query."""


def answer_suite() -> Suite:
    """Return the suite of a ``rag_eval`` dataset."""
    schema = {field.name: str(field.type) for field in ANSWER_SCHEMA}
    share = "(count(*) FILTER (WHERE {})) / greatest(count(*), 1)"
    expectations = (
        Expectation(name=EMPTY, measure="count(*)", low=1),
        *(Expectation(name=f"wrong_schema({name})", high=0) for name in schema),
        *(_none(f"missing({name})", f"{name} IS NULL", columns=(name,)) for name in _REQUIRED),
        _none("blank(query)", "trim(query) = ''", columns=("query",)),
        Expectation(
            name="duplicate(query_id)",
            measure="count(query_id) - count(DISTINCT query_id)",
            columns=("query_id",),
            high=0,
        ),
        Expectation(name="out_of_order(ts_response)", high=0),
        _none("absurd(grade)", "NOT (grade >= 0 AND grade <= 1)", columns=("grade",)),
        _none("look_ahead(graded_at)", "graded_at < ts_response", columns=("graded_at", "ts_response")),
        Expectation(name="few_rows", measure="count(*) / $minimum_samples", low=1),
        Expectation(
            name="nothing_retrieved",
            measure=share.format("retrieved_count > 0"),
            columns=("retrieved_count",),
            low=_LEAST_RETRIEVED_SHARE,
        ),
        Expectation(
            name="one_query",
            measure="count(DISTINCT query) / greatest(count(*), 1)",
            columns=("query",),
            low=_LEAST_DISTINCT_QUERIES,
        ),
        *_warnings(share),
    )
    return Suite(kind="rag_eval", schema=schema, expectations=expectations)


def validate_answers(rows: Any, *, minimum_samples: int) -> DatasetValidation:
    """Hold the rows of a ``rag_eval`` dataset against its suite.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
    minimum_samples : int
        How many requests there must be.
    """
    given = {"out_of_order(ts_response)": out_of_order(rows, column="ts_response")}
    suite = answer_suite()
    totals = measure(rows, suite=suite, given=given, parameters={"minimum_samples": minimum_samples})
    return judge(totals, suite=suite)


def _warnings(share: str) -> tuple[Expectation, ...]:
    return (
        Expectation(
            name="few_grades",
            measure=share.format("grade IS NOT NULL"),
            columns=("grade",),
            low=_LEAST_GRADED_SHARE,
            severity="warning",
        ),
        Expectation(
            name="one_class(grade)",
            measure="CASE WHEN min(grade) = max(grade) THEN 1 ELSE 0 END",
            columns=("grade",),
            high=0,
            severity="warning",
        ),
        Expectation(
            name="cites_what_was_not_retrieved",
            measure="coalesce(avg(cited_retrieved_share), 1)",
            columns=("cited_retrieved_share",),
            low=_LEAST_CITED_RETRIEVED,
            severity="warning",
        ),
        Expectation(
            name="mixed(index_version)",
            measure="count(DISTINCT index_version)",
            columns=("index_version",),
            high=1,
            severity="warning",
        ),
    )


def _none(name: str, predicate: str, *, columns: tuple[str, ...]) -> Expectation:
    return Expectation(name=name, measure=count_rows_where(predicate), columns=columns, high=0)
