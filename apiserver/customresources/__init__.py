"""Custom resources: CustomResourceDefinitions become resources like any other, at run time.

    definition     what a definition says, read once: names, versions, what is served
    versions       one version's schema at work: decoding, defaults, validation (a Strategy)
    columns        the printer columns as a Table
    scale          /scale by JSON paths
    transforms     objects between the version stored and the version served
    webhook        the ConversionReview, over HTTPS
    naming         which names a definition gets, and its conditions. Pure
    serving        a definition -> its Resources and OpenAPI schemas
    cleanup        the objects of a definition that is being deleted
    loop           follows the definitions in the watch cache and keeps all of the above up to date

Each API server does this for itself; what is written (conditions) is the same whoever writes it.
Source: apiextensions-apiserver/pkg/{apiserver,registry,controller}.
"""
