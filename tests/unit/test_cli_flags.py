"""The command line as pflag reads it."""

import pytest

from cli import flags as f

FLAGS = (
    f.Flag("--output", "-o"),
    f.Flag("--stdin", "-i", "bool"),
    f.Flag("--tty", "-t", "bool"),
    f.Flag("--wait", "", "bool", "", "--no-wait"),
    f.Flag("--replicas", "", "int"),
    f.Flag("--dry-run", "", "string", "client"),
)


@pytest.mark.parametrize(
    ("line", "options", "words", "behind"),
    [
        ("a -o yaml b", ["--output=yaml"], ["a", "b"], []),
        ("-oyaml", ["--output=yaml"], [], []),
        ("-o=yaml", ["--output=yaml"], [], []),
        ("--output yaml", ["--output=yaml"], [], []),
        ("-it x", ["--stdin", "--tty"], ["x"], []),
        ("-itoyaml", ["--stdin", "--tty", "--output=yaml"], [], []),
        ("--wait=false", ["--no-wait"], [], []),
        ("--stdin=false x", [], ["x"], []),
        ("--dry-run x", ["--dry-run=client"], ["x"], []),
        ("--replicas -1", ["--replicas=-1"], [], []),
        ("x -- -o y", [], ["x"], ["-o", "y"]),
        ("x key-", [], ["x", "key-"], []),
    ],
)
def test_canonical(line, options, words, behind):
    assert f.canonical(line.split(), FLAGS) == (options, words, behind)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--foo", "unknown flag: --foo"),
        ("-q", "unknown shorthand flag: 'q' in -q"),
        ("-iq", "unknown shorthand flag: 'q' in -iq"),
        ("-o", "flag needs an argument: 'o' in -o"),
        ("--output", "flag needs an argument: --output"),
        (
            "--replicas=x",
            'invalid argument "x" for "--replicas" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (
            "--tty=maybe",
            'invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
    ],
)
def test_what_is_wrong(line, text):
    with pytest.raises(f.FlagError) as caught:
        f.canonical(line.split(), FLAGS)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("line", "namespace", "rest"),
    [
        ("get po -n x", "x", "get po"),
        ("-nx get po", "x", "get po"),
        ("get --namespace=x po", "x", "get po"),
        ("exec p -- ls -n y", "", "exec p -- ls -n y"),
        ("config set-context c -n y", "", "config set-context c -n y"),
    ],
)
def test_hoist(line, namespace, rest):
    found, words = f.hoist(line.split())
    assert (found.namespace, " ".join(words)) == (namespace, rest)
