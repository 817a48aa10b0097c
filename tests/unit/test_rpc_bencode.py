"""The bencode reader takes what SIP servers send, and survives everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.rpc import bencode

from .rpc_recordings import REQUESTS

# What fits the codec; strings come back as bytes, keys as str.
values = st.recursive(
    st.binary(max_size=20) | st.integers(-(10**18) + 1, 10**18 - 1),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.binary(max_size=8).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"0:", b"", id="empty-string"),
        pytest.param(b"3:a b", b"a b", id="string"),
        pytest.param(b"03:abc", b"abc", id="length-with-a-leading-zero"),
        pytest.param(b"i0e", 0, id="zero"),
        pytest.param(b"i-5e", -5, id="negative"),
        pytest.param(b"i007e", 7, id="number-with-leading-zeros"),
        pytest.param(b"i999999999999999999e", 999999999999999999, id="eighteen-digits"),
        pytest.param(b"le", [], id="empty-list"),
        pytest.param(b"de", {}, id="empty-dictionary"),
        pytest.param(b"d1:b1:x1:a1:ye", {"b": b"x", "a": b"y"}, id="unsorted-keys"),
        pytest.param(b"d1:a1:x1:a1:ye", {"a": b"y"}, id="the-last-of-two-equal-keys"),
        pytest.param(b"d2:\xc3\xa9i1ee", {"é": 1}, id="key-in-utf-8"),
        pytest.param(b"d1:\xffi1ee", {"\udcff": 1}, id="key-that-is-no-utf-8"),
        pytest.param(b"ld1:ali1eeee", [{"a": [1]}], id="nested"),
    ],
)
def test_reads(data: bytes, value: object) -> None:
    assert bencode.decode(data) == (value, len(data))


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        pytest.param(b"x", 0, id="no-value"),
        pytest.param(b"e", 0, id="end-of-nothing"),
        pytest.param(b"-1:a", 0, id="negative-length"),
        pytest.param(b"1_0:aaaaaaaaaa", 1, id="underscore-in-a-length"),
        pytest.param(b"ie", 1, id="empty-number"),
        pytest.param(b"i-e", 2, id="lone-minus"),
        pytest.param(b"i1.5e", 2, id="fraction"),
        pytest.param(b"i1234567890123456789e", 19, id="number-beyond-64-bits"),
        pytest.param(b"9999999999999999999:", 18, id="length-beyond-64-bits"),
        pytest.param(b"d1:ae", 4, id="key-without-a-value"),
        pytest.param(b"di1e1:ae", 1, id="key-that-is-a-number"),
        pytest.param(b"dlei1ee", 1, id="key-that-is-a-list"),
        pytest.param(b"l" * 33, 32, id="nested-too-deep"),
        pytest.param(b"l" * 60_000, 32, id="nested-very-deep"),
    ],
)
def test_refuses(data: bytes, offset: int) -> None:
    with pytest.raises(bencode.BencodeError) as refused:
        bencode.decode(data)
    assert not isinstance(refused.value, bencode.Truncated)
    assert refused.value.offset == offset


def test_takes_32_levels() -> None:
    data = b"l" * 32 + b"e" * 32
    assert bencode.decode(data)[1] == len(data)


@given(value=values, behind=st.binary(max_size=10))
def test_gives_back_what_was_written(value: object, behind: bytes) -> None:
    data = bencode.encode(value)
    assert bencode.decode(data + behind) == (value, len(data))
    assert bencode.decode(b"????" + data, 4) == (value, len(data) + 4)


@given(value=values)
def test_every_true_prefix_wants_more_bytes(value: object) -> None:
    data = bencode.encode(value)
    for length in range(len(data)):
        with pytest.raises(bencode.Truncated):
            bencode.decode(data[:length])


@given(data=st.binary(max_size=200) | st.text(alphabet="dlie0123:-ab", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value, end = bencode.decode(data)
    except bencode.BencodeError as error:
        value, end = None, error.offset
    assert 0 <= end <= len(data)
    if value is not None:
        assert bencode.decode(bencode.encode(value))[0] == value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        pytest.param("é", b"2:\xc3\xa9", id="text"),
        pytest.param("\udcff", b"1:\xff", id="escaped-byte"),
        pytest.param(True, b"i1e", id="true"),
        pytest.param((1, "a"), b"li1e1:ae", id="tuple"),
        pytest.param({"b": 1, "a": 2}, b"d1:bi1e1:ai2ee", id="order-is-kept"),
        pytest.param({"a": None, "b": 1}, b"d1:bi1ee", id="no-null"),
        pytest.param(10**20, b"i100000000000000000000e", id="large-number"),
    ],
)
def test_writes(value: object, data: bytes) -> None:
    assert bencode.encode(value) == data


@pytest.mark.parametrize("key", ["k" * 64, "k" * 65, "é" * 40, "\udcff" * 3], ids=len)
def test_a_key_is_the_same_word_every_time(key: str) -> None:
    data = bencode.encode({key: 1})
    assert [bencode.decode(data)[0] for _ in range(2)] == [{key: 1}, {key: 1}]


def test_more_keys_than_are_remembered() -> None:
    fields = {f"key {number}": number for number in range(1000)}
    data = bencode.encode(fields)
    assert [bencode.decode(data)[0] for _ in range(2)] == [fields, fields]


def test_writes_no_deeper_than_it_reads() -> None:
    value: object = 0
    for _ in range(32):
        value = [value]
    assert bencode.decode(bencode.encode(value))[0] == value
    with pytest.raises(ValueError, match="nested too deep"):
        bencode.encode([value])


@pytest.mark.parametrize("value", [1.5, {"a": [object()]}, {1, 2}], ids=["float", "object", "set"])
def test_does_not_write_what_bencode_lacks(value: object) -> None:
    with pytest.raises(TypeError, match="bencode has no"):
        bencode.encode(value)


def test_reads_every_recorded_request_whole() -> None:
    for one in REQUESTS:
        fields, end = bencode.decode(one.body)
        assert end == len(one.body)
        assert isinstance(fields, dict)
        assert fields["command"] == one.command.encode()
        assert bencode.encode(fields) == one.body
