"""pykubectl: kubectl's commands over the public API, one file a verb. Same flags, output and exit codes."""
