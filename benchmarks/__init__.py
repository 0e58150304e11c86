"""Measurements behind the figures of the documentation; run by ``make bench``."""
