"""The API server's metrics under upstream's names. tests/golden/metric_names.json is the list they are held to.

    requests      what was asked and how it was answered, a row for each sort of request
    stages        who asked, whether they might, and what the stages before the handler took
    stored        the watch cache, the store behind it, lists and watches
    admission     plugins, webhooks, policies, expressions
    credentials   tokens and certificates
    custom        custom resources: conversion, OpenAPI
    allocation    service addresses and node ports
    build         which version this is, and with which features
    server        all of a server's, put together

What is counted wherever it happens is a family of its module (one for the process, as upstream's); what is read of a
server when somebody asks is made with it, so that several servers fit a process. fairness/metrics.py shows
flow control.
"""
