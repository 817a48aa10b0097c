"""Conformance of MSRP relays, seen from outside: 236 cases against whatever you point it at.

    python -m tests.conformance --ng HOST:PORT          a relay that is driven by ng (rtpengine)
    python -m tests.conformance --two-port A:PA,B:PB    a relay of two ports without control

`docs/conformance.md` says what each case asks for.
"""
