"""Sippy's stock B2BUA, with its options, whose MSRP goes through the relay.

MSRPRELAY=udp:127.0.0.1:2224 python examples/sippy_b2bua.py -f -u -A 0 -s bob.example.com
"""

import os

from sippy import b2bua

from msrprelay.sippy import MediaProxySession, RelayLink


class CallMap(b2bua.CallMap):
    def __init__(self, global_config):
        # Calls ask for a proxy session where this list exists; it has the RTP proxies, if any.
        global_config["_rtp_proxy_clients"] = []
        global_config["_msrp_relay"] = RelayLink(os.environ.get("MSRPRELAY", "udp:127.0.0.1:2224"))
        super().__init__(global_config)


b2bua.CallMap = CallMap
b2bua.CallController.rtpps_cls = MediaProxySession

if __name__ == "__main__":
    b2bua.main_func()
