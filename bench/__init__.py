"""The benchmark: the relay beside what a user would run instead, in one run on one machine."""
