"""Drivers of the Container Storage Interface: how they register with this node, and how their volumes reach pods."""
