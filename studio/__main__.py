"""`python -m studio`: the command line of the studio."""

import sys

from studio.cli import main

sys.exit(main())
