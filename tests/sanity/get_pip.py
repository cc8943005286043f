"""Stand in for pip's bootstrap script: the pip that Python brings installs the version that ansible-test asks for."""

from __future__ import annotations

import os
import subprocess
import sys

os.environ.pop("PIP_CONFIG_FILE", None)
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"])
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *wanted])
