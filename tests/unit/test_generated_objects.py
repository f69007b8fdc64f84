"""The generated views are what the generator makes today, and read what upstream writes."""

from pathlib import Path

from apimachinery.objects.base import decode
from apimachinery.objects.core_v1 import Pod
from apimachinery.objects.discovery_v1 import EndpointSlice
from controllers import views
from scripts.generate_objects import TARGET, rendered


def test_the_files_are_up_to_date():
    """`make generate` writes them anew."""
    assert {path.name: path.read_text() for path in Path(TARGET).glob("*.py")} == rendered()


def test_a_list_may_be_null():
    """As upstream writes an EndpointSlice that has none."""
    for view in (EndpointSlice, views.EndpointSlice):
        found = decode(b'{"addressType": "IPv4", "endpoints": null, "ports": null}', view)
        assert (found.endpoints, found.ports) == ((), ())


def test_a_view_reads_acronyms_and_skips_what_it_does_not_know():
    pod = decode(b'{"spec": {"hostIPC": true, "future": 1}, "status": {"podIPs": [{"ip": "10.0.0.1"}]}}', Pod)
    assert pod.spec.host_ipc
    assert pod.status.pod_ips[0].ip == "10.0.0.1"
    assert pod.metadata.labels == {}
