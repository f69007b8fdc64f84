"""The API server: Kubernetes' REST API over a store, as one ASGI app and as the process `pykube-apiserver`.

    main, app, options      the process and its flags; the app put together (begin reading at pipeline.py)
    pipeline, request, call, resolve, negotiation       a request on its way through the stages
    dispatch, registry, catalog, resources/             the generic handlers of any kind, and which kinds there are
    strategies/, admission/, allocation/, subresources/ what differs between kinds; what may refuse or change a write
    watch, framing, tables/, discovery/, protobuf       how answers look
    authentication/, authorization/                     who, and may they
    connect/                                            exec, log, proxy: what is passed on to kubelets and pods
    storage/                                            etcd or memory, and the watch cache over it
    bootstrapping, endpoints, upkeep                    what the server itself writes

It knows no other component: all of them, and kubectl, are its clients.
"""
