"""The volumes' door: a pod's volumes as folders on the node, ready to be mounted into its containers."""
