"""The report can be read offline, and text from events cannot script it."""

from __future__ import annotations

import re

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
