"""kube-proxy: services and endpoint slices -> iptables rules. `model` and `rules` are pure, `iptables` is the door."""
