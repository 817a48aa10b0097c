"""The first seed: two active endpoints whose clocks met in one TCP connection."""
