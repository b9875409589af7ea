import subprocess
import sys
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

from ordinis_learn.records import DECLARED, State
from ordinis_learn.rollout.dossier import Dossier, render_dossier

VOID = {"meta", "br", "img", "link", "hr", "input"}
HOSTILE = "x\"><script>alert('1')</script><img src=http://evil.test/p.png onerror=alert(2)>"


class Page(HTMLParser):
    """What a browser would see of the page: elements, attributes, headings, text, and tags left open."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(dossier):
    return Page(render_dossier(dossier()))


def test_every_element_is_closed(page):
    assert page.open == []


def test_the_verdict_says_what_who_when_and_why(page):
    assert (
        "Refused. alice asked on 2022-12-29 14:03:20 UTC to move sp500_signal version 2 from SHADOW to ACTIVE. "
        "2 of 3 rules of policy gov_v1 did not pass: sharpe significant (inconclusive: ΔSharpe 0.062, p = 0.372, "
        "detectable 0.48); approvals (fail: 0). It is SHADOW now."
    ) in page.text


def test_an_allowed_request_names_its_approvers(dossier):
    content = dossier()
    allowed = content.decisions[-1].model_copy(
        update={
            "allowed": True,
            "code": "",
            "verdicts": content.decisions[0].verdicts,
            "approvers": ("model-risk",),
        }
    )
    text = Page(
        render_dossier(content.model_copy(update={"decisions": (allowed,), "state": State.ACTIVE}))
    ).text
    assert "All 1 rules of policy gov_v1 passed, with the approval of model-risk. It is ACTIVE now." in text


@pytest.mark.parametrize(
    "expected",
    [
        "ordinis-learn approve sp500_signal 2 --as model-risk",
        "with uncommitted changes",
        "33,120 rows",
        "−0.31 to 0.44",
        "undefined: no losing session",
        "vol spike",
        "2,480, 2,480 paired",
        "the evidence of the decision above",
        "mom_126 psi 1.448",
        "The ledger verified when this dossier was written",
        "decision: version 2, SHADOW → ACTIVE: refused E_LEARN_ROLLOUT_DENIED",
        "pointers: active 1, shadow 2, good none",
        "ordinis-learn ledger verify",
        "Earlier request",
        "accepted: 29 of 31 expectations met; warnings: vol_20 repeats, few fills",
        "probability 0.204 among versions 1, 2, 12,870 splits of 3,775 sessions; version 3 left out: was trained on",
        "deflated sharpe p 0.087, after Holm over 2 0.174",
        "latency ms p95 0.97",
    ],
)
def test_the_page_holds_what_an_auditor_asks(page, expected):
    assert expected in page.text


def test_every_hash_of_the_chain_and_of_the_artifact_is_there_in_full(dossier):
    content = dossier()
    text = Page(render_dossier(content)).text
    wanted = [record.hash for record in content.ledger]
    wanted += [
        content.artifact.artifact_sha256,
        content.dataset.content_sha256,
        content.decisions[-1].evidence_hash,
    ]
    assert all(digest in text for digest in wanted)


def test_nothing_is_loaded_and_nothing_runs(page):
    assert page.named("script") == page.named("link") == page.named("iframe") == []
    sources = [attributes["src"] for _, attributes in page.elements if "src" in attributes]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    links = [attributes["href"] for attributes in page.named("a")]
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= {attributes.get("id") for _, attributes in page.elements}
    policy = next(
        m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")


def test_the_style_loads_nothing_and_knows_dark_and_print(dossier):
    text = render_dossier(dossier())
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_hostile_names_and_comments_stay_text(dossier):
    clean, hostile = (
        Page(render_dossier(dossier())),
        Page(render_dossier(dossier(name=HOSTILE, comment=HOSTILE))),
    )
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in clean.elements]
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    assert HOSTILE in hostile.text


def test_it_can_be_read_without_seeing_it(page):
    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("main")) == 1
    assert all(picture["alt"] for picture in page.named("img"))
    assert all(cell.get("scope") in {"row", "col"} for cell in page.named("th"))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert all(section["aria-labelledby"] in ids for section in page.named("section"))


def test_a_broken_ledger_is_said_first_in_its_section(dossier):
    text = Page(render_dossier(dossier(faults=("sp500_signal 2: hash does not match",)))).text
    assert "The ledger does not verify." in text
    assert "sp500_signal 2: hash does not match" in text
    assert "The ledger verified" not in text


def test_a_model_that_nobody_asked_about_is_complete_too(dossier):
    content = dossier()
    bare = content.model_copy(
        update={
            "artifact": content.artifact.model_copy(update={"data_snapshot_ref": DECLARED, "metrics": {}}),
            "state": State.CANDIDATE,
            "dataset": None,
            "scorecards": (),
            "shadow": None,
            "approvals": (),
            "decisions": (),
            "ledger": (),
            "incumbent": None,
            "drift": (),
            "plots": (),
        }
    )
    page = Page(render_dossier(bare))
    assert page.open == []
    for sentence in (
        "Nobody has asked to promote sp500_signal version 2",
        "declared, not trained",
        "No scorecard was submitted",
        "No shadow run was recorded",
        "Nobody has approved or refused",
        "No drift check was made",
        "no record of this model",
    ):
        assert sentence in page.text


def test_the_same_content_gives_the_same_page(dossier):
    assert render_dossier(dossier()) == render_dossier(dossier())


def test_the_json_beside_it_holds_the_same_record(dossier):
    content = dossier()
    again = Dossier.model_validate_json(content.model_dump_json())
    assert again.content_hash() == content.content_hash()


def test_the_recipe_on_the_page_verifies_the_chain_and_notices_a_change(dossier, tmp_path):
    content = dossier()
    page = render_dossier(content)
    recipe = HTMLText(page).first_pre
    path = tmp_path / "sp500_signal-v2.json"

    def run(text):
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", recipe], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return [line.split()[1] for line in done.stdout.splitlines()]

    honest = content.model_dump_json()
    assert run(honest) == ["True"] * 3
    assert run(honest.replace('"seed":7,"share":0.25', '"seed":8,"share":0.25')) == ["False", "True", "True"]


def test_a_plot_must_be_a_picture_inside_the_page(dossier):
    with pytest.raises(ValidationError):
        Dossier.model_validate({**dict(dossier()), "plots": (("x", "https://evil.test/x.png"),)})


class HTMLText(HTMLParser):
    """The text of the first <pre>."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.inside, self.done, self.first_pre = False, False, ""
        self.feed(text)

    def handle_starttag(self, tag, _attrs):
        self.inside = tag == "pre" or self.inside

    def handle_endtag(self, tag):
        if tag == "pre":
            self.inside, self.done = False, True

    def handle_data(self, data):
        if self.inside and not self.done:
            self.first_pre += data
