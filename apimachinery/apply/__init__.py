"""Who owns which field of an object, and the merge of what somebody applies: server-side apply, without any I/O.

    elements    one step of a path (`f:name`, `k:{...}`, `v:...`), as text and for people
    fieldset    sets of paths in the form of FieldsV1, and their algebra
    types       how values of a kind merge, compiled from OpenAPI
    typed       validate, list the fields of, compare, merge and take fields out of a typed tree
    updates     what a write does to everybody's fields; conflicts; fields nobody applies any more
    entries     metadata.managedFields to owners and back
    ownership   all of it around one write: the one thing that the API server calls
    scaling     the entries of an object as its Scale sees them

Sources: sigs.k8s.io/structured-merge-diff/v6, apimachinery/pkg/util/managedfields, KEP 555.
"""
