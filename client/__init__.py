"""How any component talks to the API: client, configuration, caches, queues, the controllers' shell, leases, events."""
