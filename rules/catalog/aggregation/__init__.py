"""Aggregation: usage summed over the wrong rows, time or numbers."""
