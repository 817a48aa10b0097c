"""Stock SIP servers drive the relay while messages flow through every call."""
