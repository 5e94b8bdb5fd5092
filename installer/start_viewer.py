"""The packaged ``star-viewer``."""

import sys
from multiprocessing import freeze_support

from star_core.isolation import serve_if_asked

if __name__ == "__main__":
    freeze_support()
    serve_if_asked()
    from star_viewer.__main__ import main

    sys.exit(main())
