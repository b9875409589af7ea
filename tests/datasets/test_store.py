"""Publishing races, and what a user is told to type."""

from __future__ import annotations

from datetime import timedelta

from ordinis_learn.datasets import open_dataset
from ordinis_learn.datasets.storage import TableFile
from ordinis_learn.datasets.store import build_command, publish
from ordinis_learn.records import DatasetWindow


def test_the_faster_of_two_builders_keeps_its_folder(build, desk, root):
    first = build(desk.log())
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    slower = first.model_copy(update={"files": (), "created_at": first.created_at + timedelta(hours=1)})
    assert publish(TableFile(table=open_dataset(first, root=root)), root=root, draft=slower) == first
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert [path.name for path in root.iterdir()] == ["core"]


def test_the_command_says_everything_that_is_not_a_default():
    window = DatasetWindow(start="2001-01-02", end="2001-12-31", symbols=("AAPL", "XOM"))
    command = build_command("core", window=window)
    assert command.endswith("core --start 2001-01-02 --end 2001-12-31 --symbol AAPL --symbol XOM")


def test_a_moment_of_knowledge_needs_the_library():
    window = DatasetWindow(start="2001-01-02", end="2001-12-31", as_of="2002-01-01T00:00:00Z")
    assert build_command("core", window=window).startswith("LearningEngine.build_dataset('core', {")
