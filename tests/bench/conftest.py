from datetime import date

import pytest

from ordinis_learn.bench import PackSpec, generate_pack
from ordinis_learn.market import load_sp500


@pytest.fixture(scope="session")
def history():
    return load_sp500()


@pytest.fixture(scope="session")
def spec():
    return PackSpec(end=date(2021, 12, 31))


@pytest.fixture(scope="session")
def generated(history, spec):
    return generate_pack(history, spec)
