"""The container runtime's door: what the kubelet asks of Docker, and the two that answer (Docker and a fake)."""
