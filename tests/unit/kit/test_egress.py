"""The guard: what it must refuse, what it must let through, and that every parser reads its targets alike."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from crosstie.kit.egress import Forbidden, Guard, parse
from tests.vectors.targets import CLOSED_V4, CLOSED_V6, FORBIDDEN, LITERALS, OPEN

PUBLIC = Guard()
LAPTOP = Guard(["127.0.0.0/8"])
EVERYTHING = Guard(["0.0.0.0/0", "::/0"])


def test_the_corpus_is_large() -> None:
    assert len(set(FORBIDDEN)) > 250
    assert len(set(OPEN)) >= 20


@pytest.mark.parametrize("url", FORBIDDEN, ids=ascii)
def test_forbidden(url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        PUBLIC.check_url(url)
    assert caught.value.code == "egress_forbidden"


@pytest.mark.parametrize("url", OPEN)
def test_open(url: str) -> None:
    target = PUBLIC.check_url(url)
    assert target.scheme == "https"
    assert target.url.isascii()


@pytest.mark.parametrize("address", [*CLOSED_V4, *CLOSED_V6])
def test_the_last_lock_closes_the_same_addresses(address: str) -> None:
    with pytest.raises(Forbidden):
        PUBLIC.check_address(address, "https", 443)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://Example.COM", "example.com", 443, "/"),
        ("https://example.com.?a=b", "example.com", 443, "/?a=b"),
        ("https://BÜCHER.example:8443/ä b".replace(" ", "%20"), "xn--bcher-kva.example", 8443, "/%C3%A4%20b"),
        ("https://[2606:4700:4700:0:0:0:0:1111]/", "2606:4700:4700::1111", 443, "/"),
        ("https://example.com/a%2Fb?c=%26&d=|[]", "example.com", 443, "/a%2Fb?c=%26&d=|[]"),
        ("https://example.com/<>\"'", "example.com", 443, "/%3C%3E%22'"),
    ],
)
def test_what_is_read(url: str, host: str, port: int, path: str) -> None:
    target = PUBLIC.check_url(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "https://127.8.9.10/", "http://[::1]:8080/", "http://a.test/"]
)
def test_the_operator_opens_networks_and_plain_http_to_them(url: str) -> None:
    assert LAPTOP.check_url(url).url == url


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "https://10.0.0.5/", "http://[::2]/", "http://[::ffff:127.0.0.1]/"])
def test_the_operator_opens_no_more_than_that(url: str) -> None:
    with pytest.raises(Forbidden):
        LAPTOP.check_url(url)


def test_plain_http_to_a_public_address_is_refused_at_the_socket() -> None:
    with pytest.raises(Forbidden, match="https only"):
        LAPTOP.check_address("93.184.216.34", "http", 80)


@pytest.mark.parametrize("port", [1, 22, 25, 80, 444, 993, 1023])
def test_ports_of_other_protocols_are_closed_on_the_internet_only(port: int) -> None:
    with pytest.raises(Forbidden, match="port"):
        PUBLIC.check_address("93.184.216.34", "https", port)
    LAPTOP.check_address("127.0.0.1", "https", port)


METADATA = ("100.100.100.200", "168.63.129.16", "169.254.169.254", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
NOWHERE = ("0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1")
DISGUISES = ("::7f00:1", "::ffff:7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::")


@pytest.mark.parametrize("address", METADATA + NOWHERE + DISGUISES)
def test_metadata_and_disguises_stay_closed_whatever_the_operator_writes(address: str) -> None:
    with pytest.raises(Forbidden, match="never"):
        EVERYTHING.check_address(address, "https", 443)


def test_an_allow_list_that_is_none_is_refused() -> None:
    for entry in ("10.0.0.1/8", "example.com", "10.0.0.0/33", ""):
        with pytest.raises(ValueError, match=r"network|host bits"):
            Guard([entry])


@given(st.ip_addresses(v=4))
def test_private_and_reserved_addresses_are_closed(address: IPv4Address | IPv6Address) -> None:
    special = address.is_private or address.is_reserved or address.is_multicast or address.is_link_local
    if special or address in IPv4Network("100.64.0.0/10"):
        with pytest.raises(Forbidden):
            PUBLIC.check_address(address, "https", 443)


@given(st.ip_addresses(v=6))
def test_ipv6_beyond_global_unicast_is_closed(address: IPv4Address | IPv6Address) -> None:
    if address not in IPv6Network("2000::/3"):
        with pytest.raises(Forbidden):
            PUBLIC.check_address(address, "https", 443)


@given(st.ip_addresses(v=4))
def test_no_disguise_of_an_ipv4_address_is_open(address: IPv4Address | IPv6Address) -> None:
    number = int(address)
    disguises = [prefix | number for prefix in (0, 0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96)]
    for disguise in map(IPv6Address, [*disguises, 0x2002 << 112 | number << 80]):
        if disguise != IPv6Address("::1"):
            with pytest.raises(Forbidden):
                EVERYTHING.check_address(disguise, "https", 443)


TRICKY = st.text(st.sampled_from("a1.0xF:/?#@[]%\\-_~2é①。\t \0|\"<>'"), max_size=40)


@given(
    st.one_of(
        TRICKY.map("https://".__add__), TRICKY.map("http://a".__add__), st.sampled_from(LITERALS + OPEN), st.text()
    )
)
def test_every_parser_reads_a_target_alike(url: str) -> None:
    try:
        target = parse(url)
    except Forbidden:
        return
    assert parse(target.url) == target
    port = {"https": 443, "http": 80}[target.scheme]
    split, httpx, yarl = urlsplit(target.url), httpx2.URL(target.url), URL(target.url, encoded=True)
    assert (split.hostname, split.port or port) == (target.host, target.port)
    assert (httpx.raw_host.decode().strip("[]"), httpx.port or port) == (target.host, target.port)
    assert (yarl.raw_host, yarl.port, yarl.raw_path_qs) == (target.host, target.port, target.path)
