"""Section C: an SDP comes back with its message sections pointed at the relay, and all else as is.

Each row is one offer: :func:`rewriting.check` rebuilds what must come back, octet for octet.
"""

from __future__ import annotations

from collections.abc import Callable

from ...peers import sdp
from ...peers.sdp import Told
from ...peers.wire import Failure
from .. import rewriting
from ..call import Call
from ..registry import AWARE, Policy, add, check
from ..relay import Relay

PATH = "msrp://127.0.0.1:7654/pQ3vLzT8rWk2mXy1aB;tcp"
HEAD = "v=0\no=- 7 7 IN IP4 192.0.2.1\ns=-\n"
SESSION_C = "c=IN IP4 198.51.100.7\n"
AUDIO = "m=audio 40002 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=sendrecv\n"
VIDEO = "m=video 40100 RTP/AVP 99\nc=IN IP4 198.51.100.10\na=rtpmap:99 H264/90000\n"
CHAT = "m=message 7654 TCP/MSRP *\n"
TYPES = "a=accept-types:text/plain message/cpim\n"
CONTACT = "c=IN IP4 127.0.0.1\n"
PATH_LINE = f"a=path:{PATH}\n"
ACTIVE = "a=setup:active\n"
PLAIN = CHAT + CONTACT + TYPES + PATH_LINE + ACTIVE


def crlf(text: str) -> str:
    """As lines of SDP end."""
    return text.replace("\n", "\r\n")


def offers(
    case: int,
    name: str,
    text: str,
    *more: Callable[[list[Told]], object],
    policies: tuple[Policy, ...] = AWARE,
    raw: bool = False,
) -> None:
    """Offer `text` (with LF, unless `raw`) and check the reply; `more` look at its sections."""

    def play(relay: Relay, policy: Policy) -> None:
        body = text if raw else crlf(text)
        with relay.call(policy) as call:
            told = rewriting.check(body, offered(call, body), policy)
            for look in more:
                look(told)

    add(case, name, play, policies=policies, control=True)


def offered(call: Call, body: str) -> str:
    """What the relay makes of an offer."""
    return str(call.offer(body)["sdp"])


def untouched(case: int, name: str, text: str) -> None:
    """The body comes back as it was, and takes nothing."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy) as call:
            if offered(call, crlf(text)) != crlf(text):
                raise Failure("the body was changed")

    add(case, name, play, control=True)


def differ(told: list[Told]) -> None:
    """Ports and session-ids of their own."""
    live = [section for section in told if section.port]
    for values in ([each.port for each in live], [each.session_id for each in live]):
        if len(set(values)) < len(live):
            raise Failure(f"not different: {values}")


def relayed(count: int) -> Callable[[list[Told]], None]:
    """So many sections were pointed at the relay."""

    def look(told: list[Told]) -> None:
        found = sum(bool(each.path) and each.path_address[1] != 7654 for each in told)
        if found != count:
            raise Failure(f"{found} sections point at the relay, not {count}")

    return look


offers(88, "a plain offer", HEAD + SESSION_C + "t=0 0\n" + PLAIN, relayed(1))
offers(
    89, "session c= only", HEAD + SESSION_C + "t=0 0\n" + AUDIO + CHAT + TYPES + PATH_LINE + ACTIVE
)
offers(90, "media c= is replaced in place", HEAD + "t=0 0\n" + CHAT + TYPES + CONTACT + PATH_LINE)
offers(
    91,
    "c= goes behind i= and before b=",
    HEAD + SESSION_C + "t=0 0\n" + CHAT + "i=chat window\nb=AS:64\n" + TYPES + PATH_LINE,
)
offers(92, "no c= anywhere", HEAD + "t=0 0\n" + CHAT + TYPES + PATH_LINE + ACTIVE)
UNKNOWN_MEDIA = "m=application 5000 UDP/BFCP *\na=floorctrl:c-s\nm=text 4000 RTP/AVP 98\n"
offers(
    93,
    "other media before and after",
    HEAD + SESSION_C + "t=0 0\n" + AUDIO + PLAIN + VIDEO + UNKNOWN_MEDIA,
    relayed(1),
)
SECOND = PLAIN.replace("pQ3vLzT8rWk2mXy1aB", "another0000000000000")
offers(94, "two message lines", HEAD + "t=0 0\n" + PLAIN + SECOND, relayed(2), differ)
REJECTED = PLAIN.replace("7654 TCP", "0 TCP")
untouched(95, "port 0", HEAD + "t=0 0\n" + REJECTED)
offers(95, "port 0 then a live one", HEAD + "t=0 0\n" + REJECTED + SECOND, relayed(1))
BARE = CHAT + TYPES + PATH_LINE
offers(96, "LF only", HEAD + SESSION_C + "t=0 0\n" + BARE, raw=True)
offers(
    96,
    "mixed line ends",
    crlf(HEAD) + SESSION_C + crlf("t=0 0\n" + AUDIO) + CHAT + crlf(TYPES) + PATH_LINE,
    raw=True,
)
offers(96, "no final newline", crlf(HEAD + SESSION_C + "t=0 0\n" + BARE)[:-2], raw=True)


@check(97, control=True)
def ipv6_has_brackets_in_the_path_only(relay: Relay, policy: Policy) -> None:
    """An offerer with an IPv6 address; the relay may have none."""
    text = crlf(HEAD + "t=0 0\n" + PLAIN.replace("IP4 127.0.0.1", "IP6 ::1"))
    with relay.call(policy) as call:
        told = rewriting.check(text, offered(call, text), policy)[0]
        if (":" in told.host) != ("[" in told.path[0]):
            raise Failure(f"c= {told.host}, path {told.path[0]}")


offers(
    98,
    "host names in c= and path",
    HEAD + "t=0 0\n" + PLAIN.replace("127.0.0.1", "chat.example.net"),
    policies=("aware", "sessmatch"),
)
FILE = (
    'a=sendonly\na=file-selector:name:"a%25 b%0A.bin" type:application/octet-stream size:200 '
    "hash:sha-1:E9:92\na=file-transfer-id:91155aee\na=file-disposition:attachment\n"
    'a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"\na=file-icon:cid:id2@x\n'
    "a=file-range:1-200\na=chatroom:nickname private-messages\na=max-size:4096\n"
)
offers(99, "file transfer and chatroom attributes", HEAD + "t=0 0\n" + PLAIN + FILE)
ODD = "a=x-odd:\u00e9\0\udcff end\na=\nz=0 0\nk=clear:x\na=x-flag\ny:what\n"
offers(100, "unknown attributes and odd octets", HEAD + "t=0 0\n" + PLAIN + ODD + AUDIO)
DTLS = "a=setup:actpass\na=fingerprint:SHA-256 AA:BB\n"
offers(
    101,
    "session-level setup stays and is overridden",
    HEAD + SESSION_C + "t=0 0\n" + DTLS + AUDIO + CHAT + TYPES + PATH_LINE,
)


@check(102, control=True)
def setup_in_capitals_is_understood_and_written_small(relay: Relay, policy: Policy) -> None:
    """An offerer that is PASSIVE is answered active."""
    with relay.call(policy, "passive", "active") as call:
        call.a.setup = "PASSIVE"
        call.agree()
        if (call.b.where.setup, call.a.where.setup) != ("actpass", "active"):
            raise Failure(f"told b {call.b.where.setup}, a {call.a.where.setup}")


offers(
    103,
    "extra blanks and two path lines become one",
    HEAD + "t=0 0\n" + CHAT + CONTACT + f"a=path:  {PATH}  {PATH}\n" + TYPES + f"a=path:{PATH}\n",
)
NO_PORT = PLAIN.replace("127.0.0.1:7654", "127.0.0.1")
offers(104, "path without a port", HEAD + "t=0 0\n" + NO_PORT)


@check(105, control=True)
def a_discard_port_is_not_dialled_where_the_path_has_another(relay: Relay, policy: Policy) -> None:
    """The offerer is active: it is not dialled, whatever its path says."""
    with relay.call(policy, "active", "active") as call:
        listening = relay.call(policy, "passive", "active")
        with listening as other:
            assert other.a.listener is not None
            call.a.path = (call.a.path[0].replace(":9/", f":{other.a.listener.port}/"),)
            call.agree()
            call.connect()
            if other.a.listener.is_dialled():
                raise Failure("an active offerer was dialled")


SECURE_PATH = PLAIN.replace("a=path:msrp:", "a=path:msrps:")
offers(106, "scheme and proto disagree", HEAD + "t=0 0\n" + SECURE_PATH)
NO_PATH = CHAT + CONTACT + TYPES + ACTIVE
offers(107, "no path, next to a good one", HEAD + "t=0 0\n" + NO_PATH + PLAIN, relayed(1))
untouched(107, "path that is no MSRP URI", HEAD + "t=0 0\n" + PLAIN.replace(PATH, "http://x/y"))
untouched(108, "port 70000", HEAD + "t=0 0\n" + PLAIN.replace("7654 TCP", "70000 TCP"))
untouched(108, "port x9", HEAD + "t=0 0\n" + PLAIN.replace("7654 TCP", "x9 TCP"))
offers(109, "no accept-types", HEAD + "t=0 0\n" + CHAT + CONTACT + PATH_LINE + ACTIVE)
offers(109, "format that is not a star", HEAD + "t=0 0\n" + PLAIN.replace("MSRP *", "MSRP chat"))
ICE = (
    "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n"
    "a=candidate:1 1 TCP 1 127.0.0.1 7654 typ host\n"
    "a=remote-candidates:1 127.0.0.1 7654\na=end-of-candidates\n"
)
WITH_ICE = HEAD + SESSION_C + "t=0 0\n" + AUDIO + ICE + PLAIN + ICE
offers(110, "ICE lines go from ours and stay in audio", WITH_ICE)
DATA_CHANNEL = (
    "m=application 54111 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 127.0.0.1\n"
    'a=dcmap:0 label="chat";subprotocol="msrp"\na=dcsa:0 path:msrp://127.0.0.1:54111/x;dc\n'
    "a=dcsa:0 setup:active\n"
)
untouched(111, "MSRP over a data channel", HEAD + "t=0 0\n" + DATA_CHANNEL)
WEB = "a=path:msrps://relay.example.net:9000/a1;tcp msrps://df7jal23ls0d.invalid:2855/z;ws\n"
offers(112, "browser path behind a relay", HEAD + "t=0 0\n" + CHAT + CONTACT + TYPES + WEB + ACTIVE)


def dials(case: int, name: str, policy: Policy, path_host: str | None = None) -> None:
    """An answerer whose c=/m= and path name two places: the relay dials the right one.

    `path_host` None: the path is right and m= is not.
    """

    def play(relay: Relay, policy: Policy) -> None:
        with (
            relay.call(policy, "active", "passive") as call,
            relay.call(policy, "passive") as other,
        ):
            right, wrong = call.b.listener, other.a.listener
            assert right is not None
            assert wrong is not None
            call.offer()
            text = call.b.section()
            if path_host is None:
                text = text.replace(f"m=message {right.port}", f"m=message {wrong.port}")
            else:
                host = path_host.format(wrong.port)
                call.b.path = (call.b.path[0].replace(f"127.0.0.1:{right.port}", host),)
                text = call.b.section()
            call.answer(sdp.body(text))
            call.connect()
            if wrong.is_dialled():
                raise Failure("the other place was dialled too")

    add(case, name, play, policies=(policy,), control=True)


dials(113, "cema and a path that cannot be resolved", "cema", "unreachable.invalid:9")
dials(114, "cema: c= and m= are dialled", "cema", "127.0.0.1:{}")
dials(114, "no cema: the path is dialled", "aware")


@check(116, control=True)
def what_is_no_sdp_is_an_error(relay: Relay, policy: Policy) -> None:
    """The SIP side then still has its own."""
    with relay.call(policy) as call:
        try:
            call.offer("this is not SDP\r\n")
        except Failure as refused:
            if "refused" not in str(refused):
                raise
        else:
            raise Failure("taken as SDP")


MANY = HEAD + SESSION_C + "t=0 0\n" + (AUDIO + VIDEO) * 14 + PLAIN + SECOND
offers(117, "thirty media lines", MANY, relayed(2), differ)
CEMA = HEAD + "t=0 0\n" + PLAIN + "a=msrp-cema\n"
offers(118, "a=msrp-cema stays with cema and goes with aware", CEMA, policies=("aware", "cema"))
