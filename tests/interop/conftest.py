"""Fixtures of the tests that build networks."""

import os
from collections.abc import Iterator

import pytest

from .namespaces import Lab, refusal, tun_refusal


@pytest.fixture
def lab(_namespaces_allowed: None) -> Iterator[Lab]:
    """A network of namespaces, removed after the test whatever happened in it."""
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def _namespaces_allowed() -> None:
    _skip_because(refusal())


@pytest.fixture(scope="session")
def tun_allowed(_namespaces_allowed: None) -> None:
    """For tests that put a TUN device into a namespace."""
    _skip_because(tun_refusal())


def _skip_because(reason: str | None) -> None:
    """Skips for a missing privilege; under CI that is a failure, or nobody would notice."""
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
