"""What a signed checkpoint knew cannot be taken back unnoticed."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import AuditChainBroken, ConfigInvalid, EvidenceInvalid, StoreUnavailable
from ordinis_learn.records import Role
from ordinis_learn.rollout import KeyStore
from ordinis_learn.rollout.statements import verify as verify_statement
from ordinis_registry import (
    Checkpoint,
    FileTarget,
    GitNoteTarget,
    SqlIdentityBook,
    SqlLedger,
    verify,
    verify_checkpoints,
    write_checkpoint,
)
from ordinis_registry import ledger as chain
from ordinis_registry.checkpoint_objects import ObjectStoreTarget
from ordinis_registry.checkpoint_targets import NOTES_REF, parse_target
from ordinis_registry.models import HeadRow, LedgerRow


class Witnessed:
    """A ledger with a trusted witness and a place for its checkpoints."""

    def __init__(self, database, make, target, keys):
        self.database, self.make, self.target, self.keys = database, make, target, keys
        self.book = SqlIdentityBook(database, clock=lambda: make.now)

    def trust(self, name, *roles):
        self.keys.create(name)
        identity = self.keys.identity(name, roles=roles, clock=lambda: self.make.now)
        self.book.trust(identity, actor=self.make.actor)

    def fill(self, records=6, subject="signal"):
        with self.database.session() as session:
            for number in range(records):
                chain.append(
                    session,
                    subject=subject,
                    action="evidence.submitted",
                    actor=self.make.actor,
                    at=self.make.now + timedelta(hours=number),
                    body={"number": number},
                )

    def checkpoint(self, by="witness"):
        with self.database.reading() as session:
            return write_checkpoint(session, self.target, at=self.make.now, signer=self.keys.signer(by))

    def faults(self):
        with self.database.reading() as session:
            return verify_checkpoints(session, self.target, now=self.make.now + timedelta(days=1))

    def kinds(self):
        return [fault.kind for fault in self.faults()]


@pytest.fixture(params=["file", "git", "memory", "local", "s3"])
def target(request, tmp_path):
    if request.param == "s3":
        return ObjectStoreTarget(request.getfixturevalue("bucket"))
    if request.param in {"memory", "local"}:
        place = f"/{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path / "objects")
        return ObjectStoreTarget(f"{request.param}://{place}")
    if request.param == "file":
        return FileTarget(tmp_path / "elsewhere" / "checkpoints.jsonl")
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "--quiet", tmp_path / "audit"], check=True)
    return GitNoteTarget(tmp_path / "audit")


@pytest.fixture
def desk(database, make, target, tmp_path):
    made = Witnessed(database, make, target, KeyStore(tmp_path / "keys"))
    made.trust("witness", Role.WITNESS)
    return made


@pytest.fixture
def on_file(database, make, tmp_path):
    made = Witnessed(database, make, FileTarget(tmp_path / "checkpoints.jsonl"), KeyStore(tmp_path / "keys"))
    made.trust("witness", Role.WITNESS)
    return made


def cut(session, keep, subject="signal"):
    """Cut a tail off together with its head, so that the chain verifies by itself."""
    session.execute(sa.delete(LedgerRow).where(LedgerRow.subject == subject, LedgerRow.sequence > keep))
    head = session.get(HeadRow, subject)
    query = sa.select(LedgerRow.hash).where(LedgerRow.subject == subject, LedgerRow.sequence == keep)
    head.sequence, head.hash = keep, session.scalar(query)
    session.flush()


def test_a_tail_cut_off_with_its_head_is_found(desk, target):
    desk.fill()
    made = desk.checkpoint()
    assert made.size == 7  # six, and the witness on the chain *
    book = SqlLedger(desk.database, checkpoints=target, clock=lambda: desk.make.now)
    assert book.verify() == []
    assert book.checkpoints() == 1
    with desk.database.session() as session:
        cut(session, 4)
        assert verify(session) == []
    assert [(f.subject, f.sequence, f.kind) for f in book.faults()] == [("signal", 6, "truncated")]
    assert "signal record 6: truncated" in book.verify()[0]


def test_every_earlier_checkpoint_is_compared_not_only_the_newest(desk):
    for _ in range(3):
        desk.fill(records=2)
        desk.checkpoint()
    assert desk.faults() == []
    with desk.database.session() as session:
        session.execute(sa.update(LedgerRow).where(LedgerRow.sequence == 2).values(hash="f" * 64))
    assert ("signal", 2, "rewritten") in {(f.subject, f.sequence, f.kind) for f in desk.faults()}


def test_a_ledger_that_lost_records_is_not_vouched_for_again(desk):
    desk.fill()
    desk.checkpoint()
    with desk.database.session() as session:
        cut(session, 3)
    with pytest.raises(AuditChainBroken, match="begin again at another target"):
        desk.checkpoint()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_field_of_any_line_is_found(on_file, data):
    path = on_file.target.path
    if not path.exists():
        for _ in range(3):
            on_file.fill(records=1)
            on_file.checkpoint()
    original = path.read_bytes()
    lines = original.splitlines()
    place = data.draw(st.integers(0, 2))
    said = json.loads(lines[place])
    field = data.draw(st.sampled_from(sorted(said)))
    changed = {
        "at": "2001-01-01T00:00:00Z",
        "size": said["size"] + 1,
        "heads": {},
        "root": "0" * 64,
        "hash": "1" * 64,
        "previous_hash": "2" * 64,
        "envelope": {**said["envelope"], "payload": "e30="},
    }
    lines[place] = json.dumps({**said, field: changed[field]}).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    try:
        assert ("*", place + 1, "checkpoint_broken") in {
            (f.subject, f.sequence, f.kind) for f in on_file.faults()
        }
    finally:
        path.write_bytes(original)


def test_a_dropped_swapped_or_garbled_line_is_found(on_file):
    for _ in range(3):
        on_file.fill(records=1)
        on_file.checkpoint()
    path = on_file.target.path
    one, two, three = path.read_text().splitlines()
    for tampered in ([one, three], [two, one, three], [one, "not json", three]):
        path.write_text("\n".join(tampered) + "\n")
        assert "checkpoint_broken" in on_file.kinds()


def test_a_line_whose_hashes_were_made_anew_lacks_the_signature(on_file):
    on_file.fill()
    made = on_file.checkpoint()
    forged = made.model_copy(update={"size": 99})
    forged = forged.model_copy(update={"hash": forged.expected_hash()})
    on_file.target.path.write_bytes(forged.canonical() + b"\n")
    (fault,) = on_file.faults()
    assert fault.kind == "checkpoint_broken"
    assert "something else was signed" in fault.detail


def test_the_signature_must_be_of_the_key_it_names(on_file):
    on_file.fill()
    made = on_file.checkpoint()
    envelope = json.loads(json.dumps(made.envelope))
    signature = envelope["signatures"][0]["sig"]
    envelope["signatures"][0]["sig"] = ("B" if signature[0] == "A" else "A") + signature[1:]
    on_file.target.path.write_bytes(made.model_copy(update={"envelope": envelope}).canonical() + b"\n")
    assert on_file.kinds() == ["checkpoint_broken"]


def test_a_revoked_signer_is_named_until_a_trusted_one_continues(desk):
    desk.fill()
    desk.checkpoint()
    desk.book.revoke("witness", actor=desk.make.actor, reason="left")
    (fault,) = desk.faults()
    assert (fault.kind, "witness is revoked" in fault.detail) == ("checkpoint_untrusted", True)
    desk.trust("witness-2", Role.WITNESS)
    desk.checkpoint(by="witness-2")
    assert desk.faults() == []


def test_an_unknown_signer_is_named(on_file):
    on_file.fill()
    on_file.checkpoint()
    with on_file.database.session() as session:
        session.execute(
            sa.text("UPDATE governance_ledger SET action = 'forgotten' WHERE action = 'identity.trusted'")
        )
    (fault,) = on_file.faults()
    assert fault.kind == "checkpoint_untrusted"
    assert "unknown key" in fault.detail


def test_only_a_trusted_witness_may_sign(on_file):
    on_file.trust("approver", Role.APPROVER)
    with pytest.raises(ConfigInvalid, match="--role witness"):
        on_file.checkpoint(by="approver")
    on_file.book.revoke("witness", actor=on_file.make.actor, reason="left")
    with pytest.raises(ConfigInvalid):
        on_file.checkpoint()


def test_an_unsigned_line_is_named_until_a_signed_one_continues(on_file):
    """Lines from before checkpoints were signed."""
    on_file.fill()
    with on_file.database.reading() as session:
        heads = {head.subject: head for head in session.scalars(sa.select(HeadRow))}
    old = Checkpoint(
        at=on_file.make.now,
        size=7,
        heads={name: {"sequence": head.sequence, "hash": head.hash} for name, head in heads.items()},
        previous_hash=chain.GENESIS,
        hash=chain.GENESIS,
    )
    old = old.model_copy(update={"hash": old.expected_hash()})
    on_file.target.append(
        json.dumps(old.model_dump(mode="json", exclude_none=True)).encode(), by="x", after=0
    )
    assert on_file.kinds() == ["checkpoint_unsigned"]
    on_file.checkpoint()
    assert on_file.kinds() == []


def test_a_checkpoint_cannot_pass_for_a_statement_about_a_model(on_file):
    on_file.fill()
    text = json.dumps(on_file.checkpoint().envelope)
    with pytest.raises(EvidenceInvalid):
        verify_statement(text, identities=on_file.book.identities(), now=on_file.make.now)


def test_a_target_that_nothing_was_written_to_promises_nothing(desk):
    assert desk.faults() == []


@pytest.mark.parametrize("target", ["git"], indirect=True)
def test_a_git_note_is_a_commit_a_line(desk, target):
    for _ in range(2):
        desk.fill(records=1)
        desk.checkpoint()
    log = subprocess.run(
        ["git", "-C", target.repository, "log", "--format=%an", NOTES_REF],
        check=True,
        capture_output=True,
        text=True,
    )
    assert log.stdout.split() == ["witness", "witness"]


def test_a_target_that_cannot_be_used_is_said(on_file, tmp_path):
    (tmp_path / "file").write_text("")
    for gone in (FileTarget(tmp_path / "file" / "c.jsonl"), GitNoteTarget(tmp_path / "nowhere")):
        on_file.target = gone
        with pytest.raises(StoreUnavailable):
            on_file.checkpoint()


objects = pytest.mark.parametrize("target", ["memory", "local", "s3"], indirect=True)


@objects
def test_an_object_is_created_and_never_written_again(desk, target):
    for _ in range(3):
        desk.fill(records=1)
        desk.checkpoint()
    before = target.lines()
    assert len(before) == 3
    for number in range(3):
        with pytest.raises(StoreUnavailable, match="another writer was there first") as caught:
            target.append(b"{}", by="witness", after=number)
        assert caught.value.data["taken"]
    assert target.lines() == before
    assert desk.faults() == []


@objects
def test_objects_that_were_deleted_or_written_over_are_named(desk, target):
    for _ in range(4):
        desk.fill(records=1)
        desk.checkpoint()
    first, second = (f"{target._root}/0000000{number}.json" for number in (1, 2))
    kept = target._files.cat(second)
    target._files.rm(second)
    assert [fault.sequence for fault in desk.faults()] == [2, 3]
    assert "it is gone" in str(desk.faults()[0])
    target._files.pipe(second, kept.replace(b'"size":', b'"size":1'))
    assert {fault.sequence for fault in desk.faults()} >= {2}
    target._files.pipe(second, kept)
    assert desk.faults() == []
    target._files.rm(first)
    assert [fault.sequence for fault in desk.faults()] == [1, 2]


@objects
def test_of_many_writers_each_line_is_written_by_one(desk, target):
    """Each begins from the same line; whoever comes second is told, and nobody's line is lost or forked."""
    desk.fill(records=1)
    desk.checkpoint()

    def continue_it(label):
        try:
            target.append(label.encode(), by="witness", after=1)
        except StoreUnavailable as error:
            return bool(error.data.get("taken"))
        return "written"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(continue_it, map(str, range(6))))
    written = [number for number, answer in enumerate(answers) if answer == "written"]
    assert target.lines()[1:] == [str(number).encode() for number in written]
    assert answers.count(True) == 5


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_and_not_made():
    target = ObjectStoreTarget("s3://no-such-bucket-here/desk")
    with pytest.raises(StoreUnavailable, match="no-such-bucket-here"):
        target.append(b"{}", by="witness", after=0)


@pytest.mark.parametrize("text", ["", "git:", "file:", "nothing://bucket/x", "ftp"])
def test_other_targets_are_refused(text, tmp_path):
    with pytest.raises(ConfigInvalid):
        parse_target(text, default=tmp_path)
