"""CustomResourceDefinitions on the write path: defaults, what is kept, and everything that is checked of one.

    strategy      the Strategy: defaults, prepare, check, warnings
    inner         where upstream looks for what all versions share: the paths of its messages
    spec          group, scope, versions, names, conversion; what may not change
    schemas       what OpenAPI schemas may say, beyond their structure
    structure     what makes a schema structural
    rules         CEL rules compile
    defaults      defaults are pruned, valid and of the right type
    columns       printer columns, /scale, selectable fields
    approval      Kubernetes' own groups need an approval

Source: apiextensions-apiserver/pkg/apis/apiextensions/{validation,v1}, pkg/apiserver/schema.
"""
