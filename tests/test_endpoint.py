"""The description of an endpoint: checked before anything is asked, and free of secrets."""

from __future__ import annotations

import pytest

from ttspm.endpoint import check_endpoint, on_this_machine, write_endpoint
from ttspm.errors import UserError

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)


def test_the_key_is_not_in_the_artifact(tmp_path):
    write_endpoint({"base_url": "https://x.org/v1/", "model": "m", "key_variable": "K"}, tmp_path)
    (written,) = tmp_path.iterdir()
    assert written.read_text() == '{\n  "base_url": "https://x.org/v1",\n  "model": "m"\n}\n'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": f"https://me:{KEY}@x.org/v1"}, "base_url: must be an address"),
        ({"base_url": f"https://x.org/v1?key={KEY}"}, "base_url: must be an address"),
        ({"base_url": "x.org/v1"}, "base_url: must be an address"),
        ({"base_url": "https://[x/v1"}, "base_url: must be an address"),
        ({"key_variable": KEY}, "key_variable: must be the name"),
        ({"key_variable": "UNSET_KEY"}, "the environment variable UNSET_KEY is not set"),
    ],
)
def test_a_description_with_a_secret_in_it_is_refused_without_repeating_it(change, said):
    source = {"base_url": "https://x.org/v1", "model": "m", "key_variable": "TEST_KEY"}
    check_endpoint("served", source)
    with pytest.raises(UserError) as error:
        check_endpoint("served", source | change)
    assert said in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_which_addresses_are_this_machines_own(base_url, local):
    assert on_this_machine(base_url) is local
