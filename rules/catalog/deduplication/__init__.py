"""Deduplication: usage that counts twice, or not at all because it was taken for a repeat."""
