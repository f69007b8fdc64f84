"""Which of upstream's metrics the API server does not show, and why; and which it shows that upstream does not have.

test_metric_names.py holds the server to both: what is shown must not be listed, so these lists can only get shorter.
"""

_ENCRYPTION = "nothing is encrypted at rest: --encryption-provider-config is not there"
_ETCD_CLIENT = "figures of etcd's Go client; ours are etcd_request*"
_X509 = "Python's ssl refuses such certificates and does not say for which of the reasons"
_NETWORK = "of a newer client_golang than v1.34 was released with, and of the whole machine"
_EXEC_PLUGIN = "our client runs no exec plugins"
_DECLARATIVE = "upstream's comparison of its two sorts of validation; ours is one"

MISSING = {
    "apiextensions_apiserver_validation_ratcheting_seconds": "old and new are compared place by place while validating",
    "apiserver_envelope_encryption_dek_cache_fill_percent": _ENCRYPTION,
    "apiserver_kube_aggregator_x509_insecure_sha1_total": _X509,
    "apiserver_kube_aggregator_x509_missing_san_total": _X509,
    "apiserver_selfrequest_total": "the server does not ask itself over HTTP",
    "apiserver_storage_data_key_generation_duration_seconds": _ENCRYPTION,
    "apiserver_storage_data_key_generation_failures_total": _ENCRYPTION,
    "apiserver_storage_envelope_transformation_cache_misses_total": _ENCRYPTION,
    "apiserver_validation_declarative_validation_mismatch_total": _DECLARATIVE,
    "apiserver_validation_declarative_validation_panic_total": _DECLARATIVE,
    "apiserver_webhooks_x509_insecure_sha1_total": _X509,
    "apiserver_webhooks_x509_missing_san_total": _X509,
    "cardinality_enforcement_unexpected_categorizations_total": "no labels are capped by --allow-metric-labels",
    "etcd_bookmark_counts": "one watch on all keys tells of every revision by its events: no bookmarks are asked for",
    "grpc_client_handled_total": _ETCD_CLIENT,
    "grpc_client_msg_received_total": _ETCD_CLIENT,
    "grpc_client_msg_sent_total": _ETCD_CLIENT,
    "grpc_client_started_total": _ETCD_CLIENT,
    "process_network_receive_bytes_total": _NETWORK,
    "process_network_transmit_bytes_total": _NETWORK,
    "process_virtual_memory_max_bytes": "prometheus-client does not tell it",
    "rest_client_exec_plugin_certificate_rotation_age": _EXEC_PLUGIN,
    "rest_client_exec_plugin_ttl_seconds": _EXEC_PLUGIN,
}
