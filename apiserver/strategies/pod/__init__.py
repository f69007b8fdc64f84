"""Pods, and the pod template that every workload kind carries: defaults and validation by topic."""
