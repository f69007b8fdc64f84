"""pykubeadm: makes, mends and removes clusters. Owns PKI, processes and files of a cluster; knows nothing of objects."""
