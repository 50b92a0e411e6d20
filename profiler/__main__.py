"""`python -m profiler` is `edgeprof`."""

import sys

from profiler.cli.app import main

sys.exit(main())
