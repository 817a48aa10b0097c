"""Hostile and unlucky peers against our daemon, with a look at what it costs."""
