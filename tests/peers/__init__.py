"""Peers that do exactly what they are told, good or bad: raw sockets, raw frames, raw SDP."""
