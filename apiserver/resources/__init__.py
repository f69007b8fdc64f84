"""Create, get, list, update, patch, delete and deletecollection for any kind, over storage and watch cache."""
