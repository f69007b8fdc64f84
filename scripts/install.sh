#!/bin/sh
# Installs what PyKube needs and is not there: Debian packages (as root) and the virtual environment with pinned packages.
# `install.sh tests` installs what the tests need, too.
# Packages are installed without starting their services, now or at the next boot: Debian's etcd-server would take 2379
# without authentication, and docker-registry 5000.
set -eu
cd "$(dirname "$0")/.."
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
packages=""
PATH="$PATH:/usr/sbin:/sbin"
need dockerd docker.io
need iptables iptables
need conntrack conntrack
need etcd etcd-server
need busybox busybox-static
need ip iproute2
[ "${1:-}" != tests ] || need docker-registry docker-registry # what only tests need: a registry to pull from
python=""
# Debian's own first: it is built with profile-guided optimisation, a fifth less CPU a request than what pyenv builds
for candidate in /usr/bin/python3 python3 python3.11 python3.12 python3.13; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || packages="$packages python3 python3-venv"
if [ -n "$packages" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "Missing Debian packages:$packages. Run as root: sudo make up" >&2
        exit 1
    fi
    echo "Installing$packages ..."
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ] || grep -q pykube "$policy"; then # one of ours: an install before this was killed
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\n# pykube: no services while packages are installed\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >/tmp/pykube-apt.log 2>&1 || {
        tail -5 /tmp/pykube-apt.log >&2
        echo "apt-get could not install:$packages (log: /tmp/pykube-apt.log). Install them by hand, then try again." >&2
        exit 1
    }
    for service in etcd-server docker-registry; do
        case "$packages " in
        *" $service "*) systemctl --quiet disable "${service%-server}.service" >/dev/null 2>&1 || true ;;
        esac
    done
    [ -n "$python" ] || python=/usr/bin/python3
fi
if [ ! -x .venv/bin/python ]; then
    echo "Making the virtual environment ..."
    "$python" -m venv .venv
fi
if ! cmp -s requirements.lock .venv/installed.lock; then
    echo "Installing Python packages ..."
    pip=".venv/bin/python -m pip install --quiet --disable-pip-version-check"
    # uv is several times faster; where it cannot be had, pip does the same
    { $pip uv==0.13.9 && .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock; } 2>/dev/null ||
        $pip --require-hashes -r requirements.lock || {
        echo "pip could not install the packages of requirements.lock: see above." >&2
        exit 1
    }
    $pip --no-deps --no-build-isolation -e . || {
        echo "pip could not install PyKube itself: see above." >&2
        exit 1
    }
    .venv/bin/python -m compileall -q apimachinery apiserver bootstrap cli client controllers dns kubelet kubeproxy scheduler serving
    cp requirements.lock .venv/installed.lock
fi
PATH="$PATH:/usr/local/go/bin"
if [ "${1:-}" = tests ] && command -v go >/dev/null 2>&1; then
    echo "Building the Go clients of the tests (some minutes the first time) ..."
    (cd tests/go && CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local go build -o /dev/null .) || {
        echo "The Go clients do not build: see above. They need the Go module proxy the first time." >&2
        exit 1
    }
    # Helm as its users build it; kept beside the virtual environment. Cold, on an empty Go cache: 2.5 minutes of CPU.
    helm=v3.19.5
    if [ ! -x ".venv/go/helm-$helm" ]; then
        echo "Building Helm $helm for the tests (some minutes the first time) ..."
        if GOBIN="$PWD/.venv/go" CGO_ENABLED=0 GOTOOLCHAIN=local go install "helm.sh/helm/v3/cmd/helm@$helm"; then
            mv .venv/go/helm ".venv/go/helm-$helm"
        else # its test says so, and fails where CI is set
            echo "Helm does not build: see above. It needs the Go module proxy the first time." >&2
        fi
    fi
fi
