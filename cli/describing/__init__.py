"""What `pykubectl describe` says, kind by kind. Pure but for the events and relatives that the shell fetched."""
