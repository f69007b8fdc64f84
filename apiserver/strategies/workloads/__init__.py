"""The kinds that run pods from a template: one file each, and what they share in common.py."""
