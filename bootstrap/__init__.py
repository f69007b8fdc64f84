"""pykubeadm: makes, mends and removes clusters. Owns a cluster's PKI, processes and files; knows nothing of objects."""
