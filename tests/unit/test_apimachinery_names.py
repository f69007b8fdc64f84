"""Rules for names; the expected texts were printed by upstream's validation package."""

import pytest

from apimachinery import names

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
SEARCH = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (names.dns_subdomain, ["a", "a.b-c.1", "x" * 253]),
        (names.dns_label, ["a", "1-a", "x" * 63]),
        (names.dns_1035_label, ["a", "a1", "x" * 63]),
        (names.dns_search, ["a", "a.b-c.1", "_sip._tcp.abc_d.example.com", "x" * 253]),
        (names.wildcard_subdomain, ["*.example.com"]),
        (names.qualified_name, ["a", "A_.b", "example.com/x"]),
        (names.label_value, ["", "a", "A.b_c-1"]),
        (names.config_key, [".a", "A_b-c.d"]),
        (names.env_var_name, ["A", "a-b.c d", "1"]),
        (names.port_name, ["http", "a-1"]),
        (names.port_number, [1, 65535]),
        (names.percent, ["50%"]),
        (names.http_header_name, ["X-Y"]),
        (names.c_identifier, ["_a1"]),
        (names.path_segment, ["system:node", "A b"]),
    ],
)
def test_good_values_pass(rule, good):
    assert [rule(value) for value in good] == [[]] * len(good)


@pytest.mark.parametrize(
    ("rule", "value", "messages"),
    [
        (names.dns_subdomain, "A", [SUBDOMAIN]),
        (names.dns_search, "a_", [SEARCH]),
        (names.dns_search, "__a.b", [SEARCH]),
        (names.dns_subdomain, "a" * 254, ["must be no more than 253 characters"]),
        (names.dns_subdomain, "a\n", [SUBDOMAIN]),
        (names.dns_label, "a.b", ["must not contain dots"]),
        (names.dns_label, "x" * 64, ["must be no more than 63 characters"]),
        (names.qualified_name, "", ["name part must be non-empty", NAME_PART]),
        (names.qualified_name, "/x", ["prefix part must be non-empty"]),
        (names.qualified_name, "A/x", [f"prefix part {SUBDOMAIN}"]),
        (names.qualified_name, "é" * 32, ["name part must be no more than 63 characters", NAME_PART]),
        (names.config_key, "..", ["must not be '..'"]),
        (names.config_key, "..a", ["must not start with '..'"]),
        (names.env_var_name, "", ["environment variable name must be non-empty"]),
        (
            names.env_var_name,
            "a=b",
            ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
        ),
        (names.port_name, "x" * 16, ["must be no more than 15 characters"]),
        (
            names.port_name,
            "-1--A",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ],
        ),
        (names.port_number, 0, ["must be between 1 and 65535, inclusive"]),
        (names.path_segment, "..", ["may not be '..'"]),
        (names.path_segment, "a/b%", ["may not contain '/'", "may not contain '%'"]),
    ],
)
def test_messages(rule, value, messages):
    assert rule(value) == messages


def test_a_name_with_two_slashes():
    (message,) = names.qualified_name("a/b/c")
    assert message.startswith("a qualified name must consist of")
    assert message.endswith("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")


def test_prefixes_may_end_in_a_dash():
    assert names.subdomain_name("web-", True) == []
    assert names.label_name("web-", True) == names.label_1035_name("web-", True) == []
    assert names.subdomain_name("web-", False) != []
    assert names.path_segment_name(".", True) == []
    assert names.path_segment_name(".", False) == ["may not be '.'"]


def test_labels_and_annotations_are_checked_by_key_and_value():
    assert names.check_labels({"a": "b", "x.y/z": ""}, "metadata.labels") == []
    assert [e.value for e in names.check_labels({"-": "b c"}, "metadata.labels")] == ["-", "b c"]
    assert names.check_annotations({"Example.com/UPPER": "any text"}, "metadata.annotations") == []
    (bad,) = names.check_annotations({"a b": ""}, "metadata.annotations")
    assert str(bad).startswith('metadata.annotations: Invalid value: "a b": name part must consist of')
    (big,) = names.check_annotations({"a": "x" * names.ANNOTATIONS_LIMIT}, "metadata.annotations")
    assert str(big) == "metadata.annotations: Too long: may not be more than 262144 bytes"
