"""Every call and how far it is, over JSON-RPC: python examples/over_jsonrpc.py [SOCKET]"""

import asyncio
import sys

from msrprelay import client


async def main(socket: str = "/run/msrprelayd/ctl.sock") -> None:
    async with client.jsonrpc(socket) as relay:
        for call_id in await relay.list(limit=1000):
            try:
                call = await relay.query(call_id=call_id)
            except client.Refused:
                continue  # it has ended meanwhile
            for session in call["msrp"]["sessions"]:
                octets = sum(leg["bytes-in"] for leg in session["legs"])
                print(call_id, session["policy"], session["state"], octets, "bytes")


try:
    asyncio.run(main(*sys.argv[1:]))
except client.RelayError as error:
    sys.exit(str(error))
