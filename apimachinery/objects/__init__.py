"""Frozen, typed views of API objects, a module per group and version. Generated; see base.py for decoding."""
