"""Observability: failures of metering that nobody hears of."""
