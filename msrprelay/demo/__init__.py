"""``msrprelay-ctl demo``: one call through a relay, with both endpoints in processes of their own.

``command`` reads the options, ``call`` is the SIP side of the call, ``runner`` an endpoint.
"""
