"""The scheduler: nodes as arrays, a pod as a row. Filters are masks, scores vectors; `place` decides, `loop` binds."""
