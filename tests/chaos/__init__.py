"""Chaos: the relay dies at any instant, again and again, under calls whose every octet is checked.

`python -m tests.chaos` plays the SIP side, the peers and the fate; see docs/reliability.md.
"""
