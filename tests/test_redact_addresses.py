"""Addresses under a key: the draft's vectors, prefixes bit by bit, and classes that stay."""

from __future__ import annotations

import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.redact import Key, Pseudonyms
from ctcp_forensics.redact import addresses as module
from ctcp_forensics.redact.addresses import Addresses, LibraryMissingError, flips
from ctcp_forensics.redact.pseudonyms import CollisionError

KEY = Key(secret=bytes(range(32)))
ADDRESSES = Addresses(KEY)

# draft-denis-ipcrypt, "ipcrypt-pfx Test Vectors".
BASIC = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301"
NETWORKS = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"
VECTORS = (
    (BASIC, "0.0.0.0", "151.82.155.134"),
    (BASIC, "255.255.255.255", "94.185.169.89"),
    (BASIC, "192.0.2.1", "100.115.72.131"),
    (BASIC, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
    (NETWORKS, "10.0.0.47", "19.214.210.244"),
    (NETWORKS, "10.0.0.129", "19.214.210.80"),
    (NETWORKS, "10.0.0.234", "19.214.210.30"),
    (NETWORKS, "172.16.5.193", "210.78.229.136"),
    (NETWORKS, "172.16.97.42", "210.78.179.241"),
    (NETWORKS, "172.16.248.177", "210.78.121.215"),
    (NETWORKS, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
    (NETWORKS, "2001:db8::7234:d8f1:3c6e:9a52", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"),
    (NETWORKS, "2001:db8::f1e0:937b:26d4:8c1a", "7cec:702c:1243:f70:443c:c8e:6a62:b64d"),
    (NETWORKS, "2001:db8:3a5c::e7d1:4b9f:2c8a:f673", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"),
    (NETWORKS, "2001:db8:9f27::b4e2:7a3d:5f91:c8e6", "7cec:702c:a504:b74e:194a:3d90:b047:2d1a"),
    (NETWORKS, "2001:db8:d8b4::193c:a5e7:8b2f:46d1", "7cec:702c:f840:aa67:1b8:e84f:ac9d:77fb"),
)
KEPT = (
    *(
        "0.0.0.0",
        "0.0.0.255",
        "127.0.0.1",
        "224.0.0.5",
        "239.255.255.250",
        "255.255.255.0",
        "255.255.255.255",
    ),
    *("::", "::1", "ff02::1", "ff05::1:3"),
)
OTHERS = (
    *("10.1.2.3", "172.16.1.1", "192.168.1.1", "192.0.2.1", "198.51.100.10", "203.0.113.20", "8.8.8.8"),
    *("100.64.1.1", "2001:db8::1", "fd00::1", "fe80::1", "::ffff:10.1.2.3", "ff02::1:ff12:3456"),
)
V4, V6 = st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)
CLASSES = (
    *map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")),
    *map(IPv6Network, ("::/127", "::ffff:0:0/96", "ff02::1:ff00:0/104", "ff00::/8", "fe80::/64")),
)


@pytest.mark.parametrize(("key", "plain", "encrypted"), VECTORS)
def test_the_library_is_what_the_draft_says(key: str, plain: str, encrypted: str) -> None:
    address = ip_address(plain)
    assert int(address) ^ flips(address, bytes.fromhex(key)) == int(ip_address(encrypted))


@pytest.mark.parametrize("text", KEPT)
def test_what_says_the_kind_of_traffic_stays(text: str) -> None:
    assert Pseudonyms(KEY).address(text) == text


@pytest.mark.parametrize("text", OTHERS)
def test_what_says_whose_traffic_it_is_does_not_stay(text: str) -> None:
    assert Pseudonyms(KEY).address(text) != text


def shared(one: bytes, other: bytes) -> int:
    """Leading bits that two addresses have in common, one by one."""
    bits = [format(int.from_bytes(some, "big"), f"0{8 * len(some)}b") for some in (one, other)]
    return next((at for at, (a, b) in enumerate(zip(*bits, strict=True)) if a != b), len(bits[0]))


@st.composite
def neighbours(draw: st.DrawFn, one: st.SearchStrategy[bytes]) -> tuple[bytes, bytes]:
    """Two addresses that differ from some bit on, wherever that is."""
    first = draw(one)
    width = 8 * len(first)
    mask = draw(st.integers(0, width).flatmap(lambda some: st.integers(0, (1 << some) - 1)))
    return first, (int.from_bytes(first, "big") ^ mask).to_bytes(len(first), "big")


@given(neighbours(V4))
def test_as_many_bits_are_shared_afterwards_as_before(pair: tuple[bytes, bytes]) -> None:
    assert shared(*map(ADDRESSES.ip, pair)) == shared(*pair)


@settings(max_examples=40)
@given(neighbours(V6))
def test_as_many_bits_of_ipv6_are_shared_afterwards_as_before(pair: tuple[bytes, bytes]) -> None:
    assert shared(*map(ADDRESSES.ip, pair)) == shared(*pair)


@pytest.mark.parametrize("one", CLASSES, ids=str)
@settings(max_examples=15)
@given(data=st.data())
def test_nothing_comes_into_a_class_or_leaves_it(one: IPv4Network | IPv6Network, data: st.DataObject) -> None:
    """Beside its edges, where a wrong bit would show."""
    inside = data.draw(st.integers(int(one.network_address), int(one.broadcast_address)))
    beside = inside ^ 1 << one.max_prefixlen - one.prefixlen
    kind = IPv4Address if one.version == 4 else IPv6Address
    assert ip_address(ADDRESSES.ip(kind(inside).packed)) in one
    assert ip_address(ADDRESSES.ip(kind(beside).packed)) not in one


@given(V4.map(lambda tail: b"\x00" * 10 + b"\xff\xff" + tail))
def test_an_ipv4_address_in_ipv6_has_the_same_pseudonym_as_by_itself(mapped: bytes) -> None:
    assert ADDRESSES.ip(mapped)[12:] == ADDRESSES.ip(mapped[12:])


@given(st.binary(min_size=6, max_size=6), st.binary(min_size=3, max_size=3))
def test_macs_of_one_vendor_stay_together_and_kinds_stay_apart(mac: bytes, serial: bytes) -> None:
    one, other = ADDRESSES.mac(mac), ADDRESSES.mac(mac[:3] + serial)
    assert one[0] & 3 == mac[0] & 3
    assert (one == other) == (mac == mac[:3] + serial)
    if any(mac[:3]):
        assert one[:3] == other[:3]


def test_groups_and_no_mac_stay_but_for_the_host_in_a_group() -> None:
    for text in ("ffffffffffff", "01005e000001", "333300000001", "000000000000"):
        assert ADDRESSES.mac(bytes.fromhex(text)).hex() == text
    node = ADDRESSES.ip(ip_address("ff02::1:ff12:3456").packed)
    assert (
        ADDRESSES.mac(bytes.fromhex("3333ff123456"))
        == b"\x33\x33\xff" + node[13:]
        != bytes.fromhex("3333ff123456")
    )


def test_another_key_gives_others() -> None:
    other = Pseudonyms(Key(secret=bytes(32)))
    mine = Pseudonyms(KEY)
    assert mine.address("10.1.2.3") != other.address("10.1.2.3")
    assert mine.source("a.pcap") != other.source("a.pcap")
    assert mine.mac(b"\x02\1\2\3\4\5") != other.mac(b"\x02\1\2\3\4\5")


def test_one_pseudonym_never_stands_for_two_things() -> None:
    first = Pseudonyms(KEY)
    name = first.source("client.pcap").removesuffix(".pcap")
    second = Pseudonyms(KEY, {name: "another"})
    with pytest.raises(CollisionError, match=f"{name} would stand for two things; make another key"):
        second.source("client.pcap")


def test_without_the_library_it_is_said_in_one_line_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipcrypt", None)
    with pytest.raises(LibraryMissingError) as raised:
        Addresses(KEY).ip(b"\x0a\1\2\3")
    assert str(raised.value) == module.MISSING_LIBRARY
    assert "pip install 'ctcp-forensics[redact]'" in module.MISSING_LIBRARY
