"""The report can be read offline, and text from events cannot script it."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets import profile_feature
from ordinis_learn.datasets.charts import histogram
from ordinis_learn.datasets.report import render_report


def test_one_file_without_scripts_or_remote_parts(build, desk):
    page = render_report(build(desk.log()))
    assert not re.search(r"<script|<link|<img|https?://|@import", page)
    assert "accepted" in page
    assert "vol_20" in page


def test_names_are_escaped(build, desk):
    manifest = build(desk.log())
    profile = {"<script>alert(1)</script>": manifest.profile["ret_1"]}
    page = render_report(manifest.model_copy(update={"profile": profile}))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_it_shows_distributions_balance_and_every_expectation(build, desk):
    manifest = build(desk.log())
    page = render_report(manifest)
    assert page.count("<svg") >= len(manifest.profile) + 2 * len(manifest.label_stats)
    for check in manifest.validation.checks:
        assert f"<td>{check.name}</td>" in page
    for said in (manifest.content_sha256, manifest.suite_hash, "5d labelled", "log position"):
        assert said in page


def test_what_is_wrong_comes_first(build, desk):
    manifest = build(desk.log())
    validation = manifest.validation.model_copy(
        update={"success": False, "failed": ("look_ahead(f_x)",), "warnings": ("split_like(1d)",)}
    )
    page = render_report(manifest.model_copy(update={"validation": validation, "left_out": {"no_query": 3}}))
    first = page.index("look_ahead(f_x)")
    assert page.index("rejected") < first < page.index("split_like(1d)") < page.index("<h2>Labels")
    assert "3 events: no_query" in page


def test_every_tag_is_closed(build, desk):
    from html.parser import HTMLParser

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):  # noqa: ARG002  the parser's signature
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_startendtag(self, tag, attrs):  # noqa: ARG002
            assert tag == "rect"

    reader = Balance()
    reader.feed(render_report(build(desk.log())))
    assert reader.open == []


@settings(deadline=None)
@example([0.0, 2.2250738585072014e-308])
@given(st.lists(st.floats(-1e12, 1e12) | st.just(float("nan")), max_size=60))
def test_bars_stay_inside_their_picture(values):
    picture = histogram(profile_feature(values), label="x")
    for x, y, width, height in re.findall(
        r'x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"', picture
    ):
        assert -0.01 <= float(x) <= 220.01
        assert float(x) + float(width) <= 220.6
        assert 0 <= float(y) + float(height) <= 44.02
