"""The manual's tables and exchanges, written from the code and from a running relay."""
