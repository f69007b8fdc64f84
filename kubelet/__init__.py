"""The node's agent: pods as Docker containers, as the Kubernetes API says they should be.

Decide purely (`pods/`), act through narrow doors (`runtime/`, `network/`, `volumes/`). `worker.py` runs one pod,
`agent.py` all of them, `node.py` speaks for the node itself, `server/` is the HTTPS API on 10250.
"""
