"""What tests of several packages need: a server on loopback that speaks S3."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import settings

# A deadline is an asserted time: it fails on a busy machine and says nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def s3_endpoint():
    """A server on loopback that speaks S3."""
    pytest.importorskip("s3fs", reason="pip install 'ordinis-learn[object-store]'")
    moto = pytest.importorskip("moto.server", reason="pip install 'moto[s3]' flask flask-cors")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(request, monkeypatch):
    """A URL in a bucket of its own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "desk")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "desk")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}/desk"
    s3fs.S3FileSystem.clear_instance_cache()
