"""Addresses: where the relay listens, what it is called there, and whom it dials."""
