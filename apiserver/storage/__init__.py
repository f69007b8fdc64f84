"""Where objects are kept: the protocol, etcd and memory behind it, and the watch cache in front of it."""
