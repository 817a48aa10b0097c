"""The media relay for MSRP (RFC 4975): offers and answers in, joined TCP legs out."""

from .compiled import install

install()
del install
