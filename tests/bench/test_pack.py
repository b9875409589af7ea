from dataclasses import replace

import numpy as np
import pytest

from ordinis_learn.bench import generate_pack, load_pack, prices_sha256, write_pack
from ordinis_learn.errors import BenchDataMissing, ConfigInvalid, DataCorrupt, StoreUnavailable


def test_a_pack_survives_the_disk(generated, tmp_path):
    manifest, prices = generated
    folder = write_pack(manifest, prices, root=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "prices.parquet"]
    pack = load_pack(tmp_path, manifest.pack_id)
    assert pack.manifest == manifest
    assert prices_sha256(pack.history) == prices_sha256(prices)
    np.testing.assert_array_equal(pack.history.close, prices.close)


def test_the_same_seed_writes_the_same_bytes(history, spec, tmp_path):
    folders = [write_pack(*generate_pack(history, spec), root=tmp_path / name) for name in ("a", "b")]
    for name in ("manifest.json", "prices.parquet"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_writing_again_is_a_no_op_and_another_pack_is_refused(generated, history, spec, tmp_path):
    folder = write_pack(*generated, root=tmp_path)
    before = (folder / "manifest.json").read_bytes()
    assert write_pack(*generated, root=tmp_path) == folder
    other = generate_pack(history, spec.model_copy(update={"seed": 8}))
    with pytest.raises(ConfigInvalid):
        write_pack(*other, root=tmp_path)
    assert (folder / "manifest.json").read_bytes() == before


def test_a_missing_pack_says_what_to_type(tmp_path):
    with pytest.raises(BenchDataMissing) as caught:
        load_pack(tmp_path, "bench_core_v1")
    assert "ordinis-learn packs generate --pack bench_core_v1" in str(caught.value)


def test_missing_prices_are_missing_data(generated, tmp_path):
    folder = write_pack(*generated, root=tmp_path)
    (folder / "prices.parquet").unlink()
    with pytest.raises(BenchDataMissing):
        load_pack(tmp_path, generated[0].pack_id)


@pytest.mark.parametrize("name", ["manifest.json", "prices.parquet"])
@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:0], lambda b: b.replace(b"1", b"2")]
)
def test_damaged_files_are_detected(generated, tmp_path, name, damage):
    folder = write_pack(*generated, root=tmp_path)
    path = folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataCorrupt):
        load_pack(tmp_path, generated[0].pack_id)


def test_a_changed_price_is_detected(generated, tmp_path):
    manifest, prices = generated
    close = prices.close.copy()
    close[700, 4] *= 1.0001
    with pytest.raises(DataCorrupt):
        write_pack(manifest, replace(prices, close=close), root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pack_under_another_name_is_detected(generated, tmp_path):
    write_pack(*generated, root=tmp_path).rename(tmp_path / "renamed")
    with pytest.raises(DataCorrupt):
        load_pack(tmp_path, "renamed")


def test_a_folder_that_cannot_be_written_is_reported(generated, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StoreUnavailable) as caught:
        write_pack(*generated, root=blocked)
    assert caught.value.retryable


def test_every_nan_hashes_alike(generated):
    _, prices = generated
    quiet, payload = prices.close.copy(), prices.close.copy()
    quiet[0, 0] = np.nan
    payload[0, 0] = np.uint64(0x7FF8000000000123).view(np.float64)
    assert prices_sha256(replace(prices, close=quiet)) == prices_sha256(replace(prices, close=payload))
