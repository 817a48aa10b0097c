"""What a B2BUA asks for one call, over ng: python examples/over_ng.py [HOST PORT]"""

import asyncio
import sys

from msrprelay import client

SDP = """v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=message 9 TCP/MSRP *
a=path:msrp://192.0.2.1:9/{};tcp
a=setup:active
""".replace("\n", "\r\n")


async def main(host: str = "127.0.0.1", port: str = "2224") -> None:
    async with client.ng(host, int(port)) as relay:
        call = {"call_id": "example", "from_tag": "alice"}
        offer = await relay.offer(SDP.format("alice1").encode(), **call)
        print("Send this to bob:", offer.sdp.decode(), sep="\n")
        answer = await relay.answer(SDP.format("bob1").encode(), **call, to_tag="bob")
        print("Send this to alice:", answer.sdp.decode(), sep="\n")
        await relay.delete(call_id="example")


try:
    asyncio.run(main(*sys.argv[1:]))
except client.RelayError as error:
    sys.exit(str(error))
