"""Architectures as plain modules, and reading their weights from files."""
