"""Answers of language models, judged: schema, citations, refusals, and two packs of prompts over the same questions."""

from ordinis_learn.answers.citations import Coverage, citation_coverage
from ordinis_learn.answers.clusters import clusters_by_document
from ordinis_learn.answers.comparison import compare_answers
from ordinis_learn.answers.drawing import draw_questions, read_documents
from ordinis_learn.answers.measures import MEASURES, measure_answers
from ordinis_learn.answers.outcome import Answer, Outcome, judge_answer
from ordinis_learn.answers.question_pack import (
    MIN_ITEMS,
    QuestionPack,
    items_sha256,
    load_questions,
    pack_questions,
    write_questions,
)
from ordinis_learn.answers.recorded import (
    AnswerSource,
    RecordedAnswer,
    RecordedAnswers,
    SchemaLookup,
    read_recorded,
)
from ordinis_learn.answers.recorded_measures import (
    RecordedComparison,
    RecordedMeasure,
    RecordedMeasures,
    compare_recorded,
    measure_recorded,
    recorded_clusters,
)
from ordinis_learn.answers.repair import NOT_JSON, ReadAnswer, read_answer
from ordinis_learn.answers.schema import OutputSchema
from ordinis_learn.answers.scorecard import answer_scorecard
from ordinis_learn.answers.tuning_half import (
    Unseen,
    answer_score,
    question_marks,
    tuning_half,
    unseen_questions,
)

__all__ = [
    "MEASURES",
    "MIN_ITEMS",
    "NOT_JSON",
    "Answer",
    "AnswerSource",
    "Coverage",
    "Outcome",
    "OutputSchema",
    "QuestionPack",
    "ReadAnswer",
    "RecordedAnswer",
    "RecordedAnswers",
    "RecordedComparison",
    "RecordedMeasure",
    "RecordedMeasures",
    "SchemaLookup",
    "Unseen",
    "answer_score",
    "answer_scorecard",
    "citation_coverage",
    "clusters_by_document",
    "compare_answers",
    "compare_recorded",
    "draw_questions",
    "items_sha256",
    "judge_answer",
    "load_questions",
    "measure_answers",
    "measure_recorded",
    "pack_questions",
    "question_marks",
    "read_answer",
    "read_documents",
    "read_recorded",
    "recorded_clusters",
    "tuning_half",
    "unseen_questions",
    "write_questions",
]
