"""Limits: usage that gets past what was agreed."""
