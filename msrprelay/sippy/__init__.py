"""MSRP by the relay for Sippy's B2BUA (``pip install '.[sippy]'``).

:class:`MediaProxySession` stands where Sippy's ``Rtp_proxy_session`` does, for MSRP; audio and
video pass it untouched. Put a :class:`RelayLink` into the configuration as ``_msrp_relay`` and set
``CallController.rtpps_cls``: ``examples/sippy_b2bua.py`` is the stock B2BUA with it. A controller
of your own gives ``on_caller_sdp_change`` and ``on_callee_sdp_change`` to its outgoing UA.
"""

from .link import RelayLink
from .session import MediaProxySession

__all__ = ["MediaProxySession", "RelayLink"]
