"""Who asks: turns the credentials of a request into a `User`, and issues and reviews the tokens that prove one.

    authenticator       the order in which credentials are tried; 401
    certificates        client certificates
    front_proxy         X-Remote-* headers of a trusted proxy
    service_accounts    JWTs of service accounts, checked against the objects they are bound to
    bootstrap_tokens    kube-system/bootstrap-token-*
    impersonation       Impersonate-* headers
    keys, tokens        signing keys; TokenRequest
    oidc                the issuer's discovery documents
    reviews             TokenReview, SelfSubjectReview

Reads objects through `Lookup` alone and decides nothing about what a user may do (apiserver/authorization does).
"""
