"""What a user may do: RBAC, the Node authorizer, reviews, escalation checks, the bootstrap policy.

    messages            the texts of a 403
    rules               one policy rule: does it allow a request, does it cover another rule
    bindings            an index subject -> rules over all roles and bindings
    rbac                the RBAC authorizer on that index
    node_graph, node    the Node authorizer; node_graph_feed keeps its graph up to date
    authorizer          the union of modes; the one the pipeline calls
    reviews             SubjectAccessReview and its kin
    escalation          nobody grants what they do not hold
    policy, reconcile   upstream's roles and bindings (bootstrap_policy.yaml), brought up to date at start
    aggregation         ClusterRoles made of others

Everything is a function of data read through `Lookup`; nothing here is async.
"""
