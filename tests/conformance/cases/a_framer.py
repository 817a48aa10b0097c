"""Section A: what is a frame, what is body, and what loses the stream.

Most rows are octets that must reach the other peer (its paths apart unchanged), followed by a
message that shows that the stream goes on; the others must end both connections.
"""

from __future__ import annotations

import contextlib

from ...peers.msrp import FROM, TO, fresh, message, request, response
from ...peers.wire import End, Failure
from ..call import Party
from ..registry import EITHER, Policy, add, check
from ..relay import Relay

PATHS = b"To-Path: " + TO + b"\r\nFrom-Path: " + FROM + b"\r\n"
MIB = 1 << 20


def passes(case: int, name: str, sent: bytes, arrives: bytes | None = None) -> None:
    """The octets reach the other peer, `arrives` instead where the relay may change them."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy) as call:
            a, b = call.join()
            a.deliver(sent, arrives)
            goes_on(a, b)

    add(case, name, play)


def loses(case: int, name: str, sent: bytes, delivered: bytes = b"") -> None:
    """`delivered` still arrives, then both connections end: where a next frame is, nobody knows."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy) as call:
            a, b = call.join()
            send_unless_ended(a, sent)
            b.expect(delivered)
            b.wire.expect_end()
            a.wire.end()

    add(case, name, play)


def refuses(case: int, name: str, sent: bytes, status: int) -> None:
    """The sender gets an error, nothing is forwarded, the stream goes on."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy) as call:
            a, b = call.join()
            a.send(sent)
            answered = a.wire.frame().status
            if answered != status:
                raise Failure(f"answered {answered}, not {status}")
            goes_on(a, b)

    add(case, name, play)


def goes_on(a: Party, b: Party) -> None:
    """Messages still pass both ways, and nothing else came before them."""
    for sender, receiver in ((a, b), (b, a)):
        probe = message(b"and on")
        sender.send(probe)
        receiver.expect(probe)


def send_unless_ended(party: Party, sent: bytes) -> None:
    """The relay may end the connection before all is sent."""
    with contextlib.suppress(Failure):
        party.send(sent)


def send(tid: bytes, *lines: bytes, flag: bytes = b"$") -> bytes:
    """A SEND of exactly these lines behind the paths: body and blank lines included."""
    head = b"MSRP " + tid + b" SEND\r\n" + PATHS
    return head + b"".join(line + b"\r\n" for line in lines) + b"-------" + tid + flag + b"\r\n"


def body(content: bytes, tid: bytes = b"", *headers: bytes, flag: bytes = b"$") -> bytes:
    """A SEND with this body."""
    return request(b"SEND", *headers, body=content, tid=tid or None, flag=flag)


TYPE = b"Content-Type: text/plain"

passes(1, "a whole SEND", body(b"hello, world", b"k4Jd82mQz0"))
passes(2, "bodiless", send(b"b1ndA7Zk31", b"Message-ID: m-bind1"))
passes(3, "bodiless with Byte-Range 1-0/0", request(b"SEND", b"Byte-Range: 1-0/0"))
passes(4, "empty body", body(b""))
passes(5, "empty body without its CRLF", send(b"e1mptyB0dy", b"Message-ID: m-1", TYPE, b""))
passes(6, "blank line without a body", send(b"bl4nkL1ne0", b"Message-ID: m-1", b""))
passes(7, "response without comment", response(b"r3sp0nse01", b"200"))
passes(7, "response with UTF-8 comment", response(b"r3sp0nse02", "200 très bien".encode()))
passes(7, "response with extra headers", response(b"r3sp0nse03", b"200 OK", b"X-Seen: 1"))
passes(
    8,
    "every registered status and an unassigned one",
    b"".join(response(fresh(), b"%d because" % status) for status in (*range(200, 507), 999)),
)
loses(9, "two-digit status", response(b"st4tus0002", b"20 OK"))
loses(9, "four-digit status", response(b"st4tus0004", b"2000 OK"))
STATUS = b"Status: 000 200 OK"
REPORTS = (
    request(b"REPORT", STATUS, b"Byte-Range: 1-5/5")
    + request(b"REPORT", b"Status: 000 481 gone", b"Byte-Range: 1-5/5")
    + request(b"REPORT", STATUS, b"Byte-Range: 1-5/5", body=b"r" * 10240)
)
passes(10, "REPORTs pass and are not answered", REPORTS)
passes(11, "REPORT body of 10241 octets", request(b"REPORT", STATUS, body=b"r" * 10241))
passes(12, "unknown method, bodiless", request(b"DANCE"))
passes(12, "unknown method with a body", request(b"DANCE", body=b"steps"))
loses(13, "lower-case method", request(b"send"))
loses(13, "text after the method", request(b"SEND now"))
loses(14, "msrp in lower case", request().replace(b"MSRP", b"msrp"))
passes(
    15,
    "names and words in any case",
    b"MSRP c4seL3ss00 SEND\r\n" + PATHS
    + b"mEsSaGe-iD: m-1\r\nFAILURE-REPORT: No\r\nsuccess-report: YES\r\n"
    b"CONTENT-TYPE: text/plain\r\n\r\nx\r\n-------c4seL3ss00$\r\n",
)  # fmt: skip
passes(
    16,
    "no blank and two blanks behind the colon",
    b"MSRP sp4ces0000 SEND\r\nTo-Path:" + TO + b"\r\nFrom-Path:  " + FROM
    + b"\r\nMessage-ID:m-1\r\nX-Two:  two\r\n-------sp4ces0000$\r\n",
    b"MSRP sp4ces0000 SEND\r\n" + PATHS
    + b"Message-ID:m-1\r\nX-Two:  two\r\n-------sp4ces0000$\r\n",
)  # fmt: skip
passes(
    17,
    "paths swapped and not first",
    b"MSRP 0rd3r00000 SEND\r\nMessage-ID: m-1\r\nFrom-Path: " + FROM + b"\r\nTo-Path: " + TO
    + b"\r\nX-Last: 1\r\n-------0rd3r00000$\r\n",
)  # fmt: skip
for line in (b"To-Path: " + TO, b"From-Path: " + FROM, b"Message-ID: m-2"):
    name = line.split(b":")[0].decode()
    refuses(18, f"{name} twice", request(b"SEND", line, body=b"which"), 400)
NO_TO_PATH = b"MSRP n0T0Path00 SEND\r\nFrom-Path: " + FROM + b"\r\n-------n0T0Path00$\r\n"
refuses(19, "no To-Path", NO_TO_PATH, 400)
passes(
    19,
    "no From-Path is dropped",
    b"MSRP n0Fr0mPath SEND\r\nTo-Path: " + TO + b"\r\n-------n0Fr0mPath$\r\n",
    b"",
)
passes(20, "Content-Type not last", send(b"typ3F1rst0", TYPE, b"Message-ID: m-1", b"", b"x"))
passes(20, "MIME headers without a body", request(b"SEND", b"Content-ID: <1@x>"))
passes(20, "body without Content-Type", send(b"unTyp3d000", b"Message-ID: m-1", b"", b"x"))
passes(21, "tid of 4", body(b"x", b"a.-+"))
passes(21, "tid of 32", body(b"x", b"a" + b".-+%=z" * 5 + b"9"))
passes(22, "tid of 3", body(b"x", b"abc"))
passes(22, "tid of 36", body(b"x", b"a" * 36))
passes(22, "tid of 64", body(b"x", b"a" * 64))
passes(22, "tid that begins with a hyphen", body(b"x", b"-abcd123"))
loses(22, "tid of 65", body(b"x", b"a" * 65))
loses(22, "tid with an underscore", body(b"x", b"abc_defg"))
passes(23, "Message-ID outside the grammar", request(b"SEND", message_id=b"<a b@c>" * 9, body=b"x"))
passes(24, "body of all octets", body(bytes(range(256)) * 2 + b"\0\0\xff\xfe\xc3\x28"))
ENDINGS = b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"-", b"-------", b"\r\n-------", b"x\r", b"x\r\n"
for content in ENDINGS:
    passes(25, f"body of octets {content.hex()}", body(content))
INNER = b"MSRP 1nn3rFrame SEND\r\nTo-Path: x\r\nFrom-Path: y\r\n\r\nz\r\n-------1nn3rFrame$\r\n"
passes(26, "frame inside a body", body(b"before\r\n" + INNER + b"after"))
LOOK_ALIKES = (
    b"-------l00kAl1ke0x$\r\n--------l00kAl1ke0$\r\n-------L00kAl1ke0$\r\n-------l00kAl1ke0!\r\n"
    b"-------l00kAl1ke0$x\r\n-------l00kAl1ke0$\r-------l00kAl1ke0$ \r\n"
)
passes(27, "look-alike end-lines", body(b"x\r\n" + LOOK_ALIKES + b"y", b"l00kAl1ke0"))
passes(28, "body ends with half an end-line", body(b"x\r\n-------pref1x0000", b"pref1x0000"))
passes(29, "forty beginnings of an end-line", body(b"\r\n-------" * 40))
passes(30, "end-line text in mid-line", body(b"x -------m1dL1ne000$\r\ny", b"m1dL1ne000"))
passes(30, "end-line behind a bare LF", body(b"x\n-------b4reLf0000$\r\ny", b"b4reLf0000"))
passes(30, "end-line before a bare LF", body(b"x\r\n-------b4reLf0001$\ny", b"b4reLf0001"))
passes(31, "tid that ends in plus", body(b"x", b"abcdefg+") + body(b"y", b"abcdefg+", flag=b"+"))
loses(32, "unknown flag", send(b"fl4gUnkn0w", b"Message-ID: m-1", flag=b"!"))
loses(32, "no flag", send(b"fl4gM1ss1n", b"Message-ID: m-1", flag=b""))
loses(33, "foreign end-line among headers", send(b"0wnT1d0000", b"-------f0re1gn000$"))
passes(34, "response with flag +", response(fresh(), flag=b"+"))
passes(
    34,
    "response with a body",
    response(b"b0dyResp00", b"200 OK", TYPE).replace(b"-------", b"\r\nx\r\n-------"),
)
RANGES = (
    b"0-5/5", b"5-1/5", b"1-9/5", b"*-*/*", b"+1-5/5", b"-1-5/5", b"0x1-0x5/5", b"1 - 5 / 5", b"",
    b"1-5", b"1-5/5/5", b"1-*/*",
)  # fmt: skip
for number, value in enumerate(RANGES, 1):
    passes(35, f"odd Byte-Range {number}", request(b"SEND", b"Byte-Range: " + value, body=b"hello"))
HUGE = (b"1-*/9223372036854775808", b"18446744073709551616-*/*", b"1-9" + b"9" * 99 + b"/*")
for number, value in enumerate(HUGE, 1):
    passes(36, f"huge number {number}", request(b"SEND", b"Byte-Range: " + value, body=b"x"))
passes(37, "range two above the body", request(b"SEND", b"Byte-Range: 1-25/25", body=b"x" * 23))
for size in (3000, 64 << 10, MIB):
    whole = b"Byte-Range: 1-%d/%d" % (size, size)
    passes(38, f"fixed range of {size}", request(b"SEND", whole, body=b"f" * size))
KEEPALIVES = message(b"one"), message(b"two")
passes(
    39,
    "CRLFs before between and after",
    b"\r\n" + KEEPALIVES[0] + b"\r\n" * 14 + KEEPALIVES[1] + b"\r\n\r\n",
    KEEPALIVES[0] + KEEPALIVES[1],
)
PIPELINE = b"".join(message(b"message %d" % number) for number in range(60))
passes(40, "sixty frames in one segment", PIPELINE)
passes(
    41,
    "requests responses and reports mixed",
    message() + response(fresh()) + REPORTS + request(b"NICKNAME", b'Use-Nickname: "x"')
    + response(fresh(), b"403 no") + message(),
)  # fmt: skip


@check(42)
def a_frame_cut_at_every_octet(relay: Relay, policy: Policy) -> None:
    """The octets before the cut and those behind it are two segments."""
    template = message(b"cut me")
    with relay.call(policy) as call:
        a, b = call.join()
        written = a.written(template)
        for at in range(1, len(written)):
            a.wire.send_pieces(written[:at], written[at:])
            b.expect(template)
        goes_on(a, b)


@check(43)
def a_frame_cut_inside_its_end_line(relay: Relay, policy: Policy) -> None:
    """One segment for each octet from the body's CRLF to the end."""
    template = message(b"end-line in pieces")
    with relay.call(policy) as call:
        a, b = call.join()
        written = a.written(template)
        tail = written.rindex(b"\r\n-------")
        a.wire.send(written[:tail])
        a.wire.trickle(written[tail:])
        b.expect(template)
        goes_on(a, b)


@check(44, policies=EITHER)
def an_octet_at_a_time_for_a_kibibyte(relay: Relay, policy: Policy) -> None:
    """TCP_NODELAY: every octet in its segment."""
    template = message(b"slow " * 150)
    with relay.call(policy) as call:
        a, b = call.join()
        a.wire.trickle(a.written(template))
        b.expect(template)


CHUNK = 2048


def chunks(size: int, each: int) -> bytes:
    """One message of `size` octets in chunks of `each`."""
    message_id, made = fresh(b"m"), []
    for start in range(0, size, each):
        flag = b"$" if start + each >= size else b"+"
        spoken = b"Byte-Range: %d-*/%d" % (start + 1, size)
        content = (b"%07d " % start * (each // 8 + 1))[:each]
        made.append(request(b"SEND", spoken, body=content, flag=flag, message_id=message_id))
    return b"".join(made)


passes(45, "a mebibyte in 512 chunks", chunks(MIB, CHUNK))
passes(45, "a mebibyte in one chunk", chunks(MIB, MIB))
passes(46, "a mebibyte of hyphens", body(b"-" * MIB))
NEAR = b"\r\n-------n3arM1ss0"
passes(46, "a mebibyte of near misses", body(NEAR * (MIB // len(NEAR)), b"n3arM1ss00"))
passes(47, "1024 chunks of three octets", chunks(3072, 3))
passes(
    48,
    "chunks out of order and overlapping",
    b"".join(
        request(b"SEND", b"Byte-Range: %s/9" % spoken, body=content, flag=flag, message_id=b"m-48")
        for spoken, content, flag in (
            (b"5-7", b"efg", b"+"), (b"1-5", b"abcde", b"+"), (b"6-9", b"FGHI", b"$"),
        )
    ),
)  # fmt: skip
passes(49, "aborted chunk", body(b"half of it", flag=b"#"))
loses(50, "folded header", send(b"f0ld3d0000", b"X-Long: one", b" two"))
loses(51, "header without colon", send(b"n0C0l0n000", b"X-Nothing"))
loses(51, "NUL in a header", send(b"nul1nHead0", b"X-Nul: a\0b"))
passes(52, "TAB and invalid UTF-8 in a value", request(b"SEND", b"X-Odd: a\tb\xff\xfe\xc3("))
loses(53, "bare LF ends the start line", b"MSRP b4reLf0000 SEND\nTo-Path: " + TO + b"\r\n\r\n")
loses(53, "bare LF ends a header", b"MSRP b4reLf0001 SEND\r\nTo-Path: " + TO + b"\nX: 1\r\n\r\n")
passes(54, "header line of 9000 octets", request(b"SEND", b"X-Long: " + b"l" * 9000))
BLOCK = [b"X-Long-%d: " % number + b"l" * 9000 for number in range(8)]
loses(54, "header block of 72000 octets", request(b"SEND", *BLOCK))
loses(54, "200 headers", request(b"SEND", *(b"X-%d: 1" % number for number in range(200))))
loses(55, "20000 octets without CRLF", b"MSRP " + b"x" * 20000)
NOISE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "ClientHello": bytes.fromhex("1603010200010001fc0303") + b"\x5a" * 64 + b"\r\n",
    "SIP": b"OPTIONS sip:a@example.net SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n",
    "PROXY": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "leading blank": b" MSRP abcd1234 SEND\r\n",
    "TAB": b"MSRP\tabcd1234\tSEND\r\n",
    "two blanks": b"MSRP  abcd1234 SEND\r\n",
    "no method": b"MSRP abcd1234\r\n",
    "magic alone": b"MSRP\r\n",
}
for name, noise in NOISE.items():
    loses(56, f"{name} as start line", noise)
FIRST = message(b"good")
loses(57, "noise behind a good frame", FIRST + b"\x00\x01noise\r\n", FIRST)


def truncated(name: str, cut: int) -> None:
    """A frame without its last `cut` octets, then FIN."""

    def play(relay: Relay, policy: Policy) -> None:
        template = message(b"cut short")
        with relay.call(policy) as call:
            a, b = call.join()
            a.wire.send(a.written(template)[:-cut])
            a.wire.fin()
            if b.wire.end() is not End.RESET:
                raise Failure("a cut frame ended in a clean FIN")

    add(58, name, play)


truncated("FIN in a header", 120)
truncated("FIN in the end-line", 3)
truncated("FIN before the final LF", 1)


@check(59, timer="chunk_stall")
def an_end_line_of_another_frame_is_body_until_the_stall_timer(
    relay: Relay, policy: Policy
) -> None:
    """The chunk stands open; nobody waits for ever."""
    with relay.call(policy) as call:
        a, b = call.join()
        template = message(b"open")
        tid = template.split()[1]
        a.send(template.replace(b"-------" + tid, b"-------" + b"x" * len(tid)))
        for party in (a, b):
            party.wire.patience = relay.timers["chunk_stall"] + relay.patience
        b.wire.end()
        a.wire.end()


ENCODED = request(b"SEND", b"Content-Transfer-Encoding: base64", body=b"eA==")
passes(60, "Content-Transfer-Encoding", ENCODED)
