"""Ingestion: usage that never arrives, or arrives wrong."""
