"""`python -m efficiency360.engine.wall PLAN`: the layers that hold on this machine, as JSON."""

import json
import sys

from efficiency360.engine.wall import Plan, raise_wall

sys.stdout.write(json.dumps(raise_wall(Plan.from_json(sys.argv[1]))))
