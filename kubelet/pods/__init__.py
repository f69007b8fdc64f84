"""What a pod needs next, and what is to be said of it: pure functions of the pod, the containers and the time."""
