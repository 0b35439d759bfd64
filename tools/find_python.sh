#!/usr/bin/env bash
# Prints the path of a Python that works, of the first of the given versions that is found:
#
#     tools/find_python.sh 3.13 3.12
#
# A name on the PATH proves nothing: pyenv's shims refuse what .python-version does not name, and
# Debian's own Python may lack what makes virtual environments. So each candidate is tried.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
IFS=$'\n'

fits='
import ensurepip, sys, venv
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(sys.executable)
'

for version; do
    for python in \
        ".venv/bin/python$version" \
        $(type -ap "python$version" python3) \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/"python$version"; do
        "$python" -c "$fits" "$version" 2>/dev/null && exit
    done
done

IFS=/
echo "No Python $* was found on the PATH or in pyenv." >&2
exit 1
