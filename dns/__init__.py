"""Cluster DNS: a question and the services known -> an answer. Every node answers from its own watch cache.

`zone` and `answer` are pure; `server` holds the sockets, `forward` asks other name servers. Our package is called like
dnspython's: PyKube does not depend on it (packets are dnslib's).
"""
