"""Tests of the modules, without a relay."""
