"""The node network's door: addresses, bridge, rules, routes, and the files that name things inside a pod."""
