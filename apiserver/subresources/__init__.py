"""Subresources that are more than a part of their object: each file owns one and says what it stands for."""
