"""Tests that need other machines: played by network namespaces the tests make and remove."""
