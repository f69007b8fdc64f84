"""Dynamic resource allocation (resource.k8s.io/v1): claims and their templates, classes, slices.

`parts` is the vocabulary, `selectors` the CEL of devices, `requests` what a claim asks for, `allocation` what it got,
`admin_access` what namespaces
admit, `slices` what drivers offer, `gates` what v1.34 drops; `strategy` has the kinds' rows.
Source: pkg/apis/resource/validation/validation.go, pkg/registry/resource/*/strategy.go.
"""
