"""Transparency: usage that its customer cannot see, or that others can."""
