"""Node-pressure eviction: when the node runs short of something, a pod goes before the kernel chooses one."""
