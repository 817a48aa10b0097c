"""Sippy's stock B2BUA between two phones, MSRP through the relay."""
