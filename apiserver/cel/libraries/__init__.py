"""The functions Kubernetes adds to CEL, one module a library; `apiserver/cel/kubernetes.py` puts them together."""
