"""What the server serves, for clients that ask: discovery documents, OpenAPI v2 and v3, /version.

    subresources        what each subresource speaks and which verbs it has
    served              the served kinds, in upstream's order of groups and versions
    documents           /api, /apis, /apis/G, /apis/G/V
    aggregated          the same in one document (apidiscovery.k8s.io)
    definitions         the schema's definitions as OpenAPI v3 and v2 write them
    custom              a CRD's schema as OpenAPI
    operations          paths and operations, from the kinds
    openapi_v2, openapi_v3, gnostic     the documents; v2 also as protobuf
    state               everything above behind one function, built lazily and kept compressed
    routes              FastAPI routes on top of it

Pure functions of the served kinds; made anew when these change (a CRD comes or goes).
"""
