"""Structural schemas: what a CRD says about its objects, compiled once and applied to plain trees. Pure.

    node         the schema as a tree of nodes; unknown fields and numbers
    pruning      fields that no schema names go
    defaulting   absent values are filled; nulls that cannot be are taken out
    embedded     metadata of whole objects inside objects
    lists        no key of a map-like list, no element of a set twice
    values       types, enums, ranges, patterns, unions: every violation at once, with ratcheting
    formats      what the formats of a string mean
    rules        x-kubernetes-validations: CEL over values, with their own budget
    paths        paths of fields and keys through a schema
    correlation  which old value a new one stands for
    patterns     regular expressions in time linear in the text (RE2)

Source: apiextensions-apiserver/pkg/apiserver/{schema,validation}, kube-openapi/pkg/validation.
"""
