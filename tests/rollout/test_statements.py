import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import CoolDownLift, Role, WaiverGrant, canonical_json
from ordinis_learn.rollout import KeyStore, sign, verify
from ordinis_learn.rollout.statements import PAYLOAD_TYPE, PREDICATE_TYPES

SIGNERS = {
    "training": "learn-service",
    "scorecard": "learn-service",
    "shadow": "learn-service",
    "approval": "model-risk",
    "waiver": "model-risk",
    "lift": "model-risk",
}


def record(kind, make):
    return {
        "training": make.artifact,
        "scorecard": make.scorecard,
        "shadow": make.shadow,
        "approval": lambda: make.approval("e" * 64),
        "waiver": lambda: waiver(make),
        "lift": lambda: lift(make),
    }[kind]()


def waiver(make):
    seen = make.approval("e" * 64)
    return WaiverGrant(
        subject=seen.subject,
        target=seen.target,
        rule="delta_sharpe",
        reason="index change",
        compensating_control="half the size",
        evidence_hash=seen.evidence_hash,
        granted_by=seen.approver,
        granted_at=seen.given_at,
        expires_at=seen.expires_at,
    )


def lift(make):
    seen = make.approval("e" * 64)
    return CoolDownLift(
        subject=seen.subject,
        rollback="d" * 64,
        reason="the feed is mended",
        lifted_by=seen.approver,
        lifted_at=seen.given_at,
    )


def repack(text, *, payload=None, **envelope):
    """The envelope with another payload or other fields, signature untouched."""
    document = json.loads(text)
    if payload is not None:
        document["payload"] = base64.b64encode(payload).decode()
    return json.dumps(document | envelope)


def payload_of(text):
    return json.loads(base64.b64decode(json.loads(text)["payload"]))


@pytest.mark.parametrize("kind", PREDICATE_TYPES)
def test_what_is_signed_is_verified_and_read_back(desk, make, kind):
    said = record(kind, make)
    text = desk.sign(kind, said, by=SIGNERS[kind])
    statement = verify(text, identities=desk.identities, now=make.now)
    assert (statement.kind, statement.subject) == (kind, make.subject)
    assert statement.record.canonical() == said.canonical()
    assert statement.signer.name == SIGNERS[kind]


def test_the_payload_is_an_in_toto_statement(desk, make):
    text = desk.sign("shadow", make.shadow())
    assert json.loads(text)["payloadType"] == PAYLOAD_TYPE
    payload = payload_of(text)
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["subject"] == [{"name": "models:/sp500_signal/2", "digest": {"sha256": "a" * 64}}]
    assert payload["predicateType"] == "urn:ordinis:learn:predicate:shadow:v1"


@pytest.mark.parametrize("kind", PREDICATE_TYPES)
def test_a_key_in_another_role_is_refused(desk, make, kind):
    other = "model-risk" if SIGNERS[kind] == "learn-service" else "learn-service"
    changes = {"approver": other} if kind == "approval" else {}
    said = record(kind, make).model_copy(update=changes)
    with pytest.raises(EvidenceInvalid, match="needs"):
        verify(desk.sign(kind, said, by=other), identities=desk.identities, now=make.now)


def test_an_answer_in_the_name_of_another_is_refused(desk, make):
    said = make.approval("e" * 64, approver="head-of-desk")
    with pytest.raises(EvidenceInvalid, match="in the name of 'head-of-desk'"):
        verify(desk.sign("approval", said, by="model-risk"), identities=desk.identities, now=make.now)


def test_an_unknown_key_is_refused(desk, make, tmp_path):
    stranger = KeyStore(tmp_path / "keys")
    stranger.create("learn-service")
    text = sign(
        "shadow", subject=make.subject, predicate=make.shadow(), signer=stranger.signer("learn-service")
    )
    with pytest.raises(EvidenceInvalid, match="unknown key"):
        verify(text, identities=desk.identities, now=make.now)


def test_a_signature_under_a_borrowed_key_id_is_refused(desk, make, tmp_path):
    stranger = KeyStore(tmp_path / "keys")
    stranger.create("mallory")
    text = sign("shadow", subject=make.subject, predicate=make.shadow(), signer=stranger.signer("mallory"))
    signature = json.loads(text)["signatures"][0] | {"keyid": desk.identities[0].key_id}
    with pytest.raises(EvidenceInvalid, match="signature is not one of"):
        verify(repack(text, signatures=[signature]), identities=desk.identities, now=make.now)


def with_service(desk, **changes):
    return [desk.identities[0].model_copy(update=changes), *desk.identities[1:]]


def test_a_revoked_key_vouches_for_nothing_from_then_on(desk, make):
    text = desk.sign("shadow", make.shadow())
    later = with_service(desk, revoked_at=make.now + timedelta(seconds=1))
    assert verify(text, identities=later, now=make.now).kind == "shadow"
    for revoked_at in (make.now, make.days_ago(30)):
        with pytest.raises(EvidenceInvalid, match="revoked"):
            verify(text, identities=with_service(desk, revoked_at=revoked_at), now=make.now)


def test_revoking_a_key_once_revokes_every_row_of_it(desk, make):
    text = desk.sign("shadow", make.shadow())
    rows = [*desk.identities, desk.identities[0].model_copy(update={"revoked_at": make.days_ago(1)})]
    with pytest.raises(EvidenceInvalid, match="revoked"):
        verify(text, identities=rows, now=make.now)


def test_a_key_is_not_trusted_before_its_time(desk, make):
    text = desk.sign("shadow", make.shadow())
    rows = with_service(desk, trusted_since=make.now + timedelta(days=1))
    with pytest.raises(EvidenceInvalid, match="not trusted yet"):
        verify(text, identities=rows, now=make.now)


def test_after_a_rotation_only_the_new_key_counts(desk, make, tmp_path):
    fresh = KeyStore(tmp_path / "keys")
    fresh.create("learn-service")
    new = fresh.identity("learn-service", roles=desk.identities[0].roles, clock=lambda: make.days_ago(1))
    rows = [*with_service(desk, revoked_at=make.days_ago(1)), new]
    with pytest.raises(EvidenceInvalid, match="revoked"):
        verify(desk.sign("shadow", make.shadow()), identities=rows, now=make.now)
    text = sign("shadow", subject=make.subject, predicate=make.shadow(), signer=fresh.signer("learn-service"))
    assert verify(text, identities=rows, now=make.now).signer == new


def test_one_key_under_two_names_is_void(desk, make):
    double = desk.identities[1].model_copy(update={"name": "somebody-else", "key_id": "0" * 64})
    text = desk.sign("approval", make.approval("e" * 64), by="model-risk")
    with pytest.raises(EvidenceInvalid, match="listed more than once"):
        verify(text, identities=[*desk.identities, double], now=make.now)


def test_a_record_about_another_version_is_refused_on_both_sides(desk, make):
    other = make.incumbent
    with pytest.raises(EvidenceInvalid, match="about another version"):
        sign("shadow", subject=other, predicate=make.shadow(), signer=desk.keys.signer("learn-service"))


@pytest.mark.parametrize(
    ("kind", "wrong"), [("training", "shadow"), ("approval", "scorecard"), ("shadow", "training")]
)
def test_a_record_of_another_kind_is_not_signed(desk, make, kind, wrong):
    with pytest.raises(EvidenceInvalid, match="not a"):
        desk.sign(kind, record(wrong, make))


def test_an_unknown_kind_is_not_signed(desk, make):
    with pytest.raises(EvidenceInvalid, match="known are training"):
        desk.sign("rumour", make.shadow())


def test_what_no_tag_could_hold_is_not_signed(desk, make):
    huge = make.scorecard(metric_quality={f"m{n}": "undefined" * 10 for n in range(1000)})
    with pytest.raises(EvidenceInvalid, match="a tag holds 100000"):
        desk.sign("scorecard", huge)


def test_a_name_that_would_read_back_as_another_is_not_signed(desk, make):
    odd = make.subject.model_copy(update={"name": "a/b/c"})
    with pytest.raises(EvidenceInvalid):
        sign(
            "shadow",
            subject=odd,
            predicate=make.shadow(subject=odd),
            signer=desk.keys.signer("learn-service"),
        )


BAD_TEXTS = {
    "empty": "",
    "not json": "{",
    "a list": "[]",
    "no signature": '{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}',
    "another type": '{"payload":"e30=","payloadType":"text/plain","signatures":[{"keyid":"a","sig":"b"}]}',
    "bad base64": '{"payload":"*","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"a","sig":"*"}]}',
    "too long": " " * 100_001,
    "deep": "[" * 50_000,
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_bad_envelopes_are_refused(desk, make, text):
    with pytest.raises(EvidenceInvalid):
        verify(text, identities=desk.identities, now=make.now)


def signed_payload(desk, payload):
    """An envelope over any bytes, signed by a trusted key."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures={})
    envelope.sign(desk.keys.signer("learn-service"))
    return json.dumps(envelope.to_dict())


def mutated(document, **changes):
    return canonical_json(document | changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"[]",
        lambda d: json.dumps(d, indent=1).encode(),
        lambda d: canonical_json(d)[:-1] + b',"_type":"https://in-toto.io/Statement/v1"}',
        lambda d: mutated(d, _type="https://in-toto.io/Statement/v0.1"),
        lambda d: mutated(d, predicateType="urn:other"),
        lambda d: mutated(d, predicateType=PREDICATE_TYPES["training"]),
        lambda d: mutated(d, predicate={}),
        lambda d: mutated(d, predicate=d["predicate"] | {"extra": 1}),
        lambda d: mutated(d, predicate=d["predicate"] | {"sessions": "many"}),
        lambda d: mutated(d, subject=[]),
        lambda d: mutated(d, subject=d["subject"] * 2),
        lambda d: mutated(d, subject=[d["subject"][0] | {"digest": {"sha256": "b" * 64}}]),
        lambda d: mutated(d, subject=[d["subject"][0] | {"name": "models:/sp500_signal/3"}]),
        lambda d: mutated(d, subject=[d["subject"][0] | {"name": "sp500_signal/2"}]),
        lambda d: mutated(d, subject=[d["subject"][0] | {"digest": {"md5": "0"}}]),
    ],
)
def test_a_payload_that_does_not_hold_together_is_refused_though_signed(desk, make, change):
    document = payload_of(desk.sign("shadow", make.shadow()))
    assert verify(signed_payload(desk, canonical_json(document)), identities=desk.identities, now=make.now)
    with pytest.raises(EvidenceInvalid):
        verify(signed_payload(desk, change(document)), identities=desk.identities, now=make.now)


def test_one_signature_has_one_text(desk, make):
    document = json.loads(desk.tags["ordinis.evidence.shadow"])
    (signature,) = document["signatures"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = signature["sig"].rstrip("=")
    spare = body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + "=="
    assert base64.b64decode(spare) == base64.b64decode(signature["sig"])
    with pytest.raises(EvidenceInvalid, match="standard base64"):
        verify(
            json.dumps(document | {"signatures": [signature | {"sig": spare}]}),
            identities=desk.identities,
            now=make.now,
        )


@hypothesis_settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_single_character_can_change(desk, make, data):
    text = desk.tags["ordinis.approval.model-risk"]
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != text[place]))
    with pytest.raises(EvidenceInvalid):
        verify(text[:place] + letter + text[place + 1 :], identities=desk.identities, now=make.now)


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_arbitrary_text_is_refused_and_nothing_else_happens(desk, make, text):
    with pytest.raises(EvidenceInvalid):
        verify(text, identities=desk.identities, now=make.now)


def test_roles_are_those_of_the_design(desk, make):
    both = desk.identities[1].model_copy(update={"roles": (Role.APPROVER, Role.EVALUATOR)})
    rows = [desk.identities[0], both, desk.identities[2]]
    text = desk.sign("scorecard", make.scorecard(), by="model-risk")
    assert verify(text, identities=rows, now=make.now).signer == both
