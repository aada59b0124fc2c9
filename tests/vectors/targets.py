"""Targets that a hostile tenant would give, and some that an honest one gives."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

CLOSED_V4 = (
    "0.0.0.0",
    "10.0.0.5",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.10",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
)
CLOSED_V6 = (
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::127.0.0.1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
OPEN = (
    "https://example.com",
    "https://example.com/",
    "HTTPS://EXAMPLE.COM/Hooks",
    "https://example.com:443/hooks?tenant=1&x=%20",
    "https://example.com:8443/hooks",
    "https://hooks.example.co.za/a/b/c;d=e",
    "https://api.example.com./hooks",
    "https://my_service.example.com/",
    "https://a-b.example.com/~user/@me",
    "https://xn--bcher-kva.example/",
    "https://bücher.example/über?straße=größe",
    "https://株式会社.example/",
    "https://1password.example/",
    "https://10.example.com/",
    "https://127.0.0.1.nip.example/",
    "https://0xff.example/",
    "https://8.8.8.8/",
    "https://1.1.1.1:8443/dns",
    "https://100.128.0.1/",
    "https://172.32.0.1/",
    "https://192.169.0.1/",
    "https://[2606:4700:4700::1111]/",
    "https://[2001:4860:4860::8888]:8443/hooks",
    "https://[2A00:1450:4009:0:0:0:0:200E]/",
)
ODD = (
    "",
    " ",
    "example.com",
    "//example.com/",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:///example.com",
    "https:example.com",
    "https:/example.com",
    "https:\\\\example.com\\",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/_",
    "dict://example.com/",
    "ldap://example.com/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "unix:/var/run/docker.sock",
    "https+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "jar:https://example.com!/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://example.com:443@127.0.0.1/",
    "https://example.com%40127.0.0.1/",
    "https://127.0.0.1\\@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com\\.127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://example.com#@127.0.0.1/",
    "https://127.0.0.1 example.com/",
    "https://127.0.0.1\texample.com/",
    "https://127.0.0.1\nexample.com/",
    "https://127.0.0.1\r\nHost: example.com/",
    "https://exa\0mple.com/",
    "https://example.com/\0",
    "https://example.com/\r\nX-Injected: 1",
    "https://example.com/ HTTP/1.1",
    " https://example.com/",
    "https://example.com/ ",
    "\thttps://example.com/",
    "\ufeffhttps://example.com/",
    "ht\ntps://example.com/",
    "https://exa mple.com/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com../",
    "https://./",
    "https://-example.com/",
    "https://example-.com/",
    "https://exa$mple.com/",
    "https://exa,mple.com/",
    "https://ex%61mple.com/",
    "https://%31%32%37.0.0.1/",
    "https://%5B::1%5D/",
    "https://example.com%00.test/",
    "https://example.com%2f@127.0.0.1/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999/",
    "https://example.com:443443/",
    "https://example.com:-1/",
    "https://example.com:4 43/",
    "https://example.com:80:443/",
    "https://example.com:443abc/",
    "https://example.com:٤٤٣/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]]/",
    "https://[::1]example.com/",
    "https://[::g]/",
    "https://[1:2:3]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.fe80::a+en1]/",
    "https://[127.0.0.1]/",
    "https://[example.com]/",
    "https://[]/",
    "https://8.8.8.8:22/",
    "https://8.8.8.8:25/",
    "https://1.1.1.1:853/",
    "https://[2606:4700:4700::1111]:465/",
    "http://8.8.8.8/",
    "http://[2606:4700:4700::1111]/",
    "https://8.8.8.8.8/",
    "https://256.256.256.256/",
    "https://8.8.8/",
    "https://134744072/",
    "https://0x08080808/",
    "https://010.010.010.010/",
    "https://08.8.8.8/",
    "https://example.1/",
    "https://example.0x7f/",
    "https://example.0x/",
    "https://①.①.①.①/",
    "https://" + "a" * 64 + ".example/",
    "https://" + ".".join(["a" * 50] * 6) + "/",
    "https://example.com/" + "a" * 2048,
    "https://xn--a\u00adb\udc80.example/",
)


def spellings(address: str) -> Iterator[str]:
    """The hosts that some resolver, browser or library reads as this IPv4 address."""
    number = int(IPv4Address(address))
    a, b, c, d = (int(part) for part in address.split("."))
    high, low = number >> 16, number & 0xFFFF
    yield address
    yield f"{address}."
    yield f"{number}"
    yield f"{number:#x}"
    yield f"{number:#X}"
    yield f"0{number:o}"
    yield f"{a}.{number & 0xFFFFFF}"
    yield f"{a}.{b}.{low}"
    yield f"{a:#x}.{b:#x}.{c:#x}.{d:#x}"
    yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield f"{a:#x}.{b}.0{c:o}.{d}"
    yield f"{a:03}.{b:03}.{c:03}.{d:03}"
    yield f"{a + 256}.{b}.{c}.{d}"
    yield address.translate({48 + digit: 0xFF10 + digit for digit in range(10)})
    yield address.translate({48: 0x24EA} | {48 + digit: 0x245F + digit for digit in range(1, 10)})
    yield address.replace(".", "。")
    yield address.replace(".", "．")
    yield address.replace(".", "｡")
    yield "".join(f"%{ord(character):02x}" for character in address)
    yield address.replace(".", "%2e")
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[0:0:0:0:0:ffff:{high:x}:{low:x}]"
    yield f"[::{high:x}:{low:x}]"
    yield f"[::ffff:0:{high:x}:{low:x}]"
    yield f"[64:ff9b::{high:x}:{low:x}]"
    yield f"[64:ff9b:1::{high:x}:{low:x}]"
    yield f"[2002:{high:x}:{low:x}::1]"
    yield f"[2001:0:0:0:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"


LITERALS = tuple(f"https://{host}/" for address in CLOSED_V4 for host in spellings(address)) + tuple(
    f"https://[{address}]/" for address in CLOSED_V6
)
FORBIDDEN = LITERALS + ODD
