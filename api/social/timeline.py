"""The caller's home timeline over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from projections.social.timeline import timeline

routes = Routes(tags=["timeline"])
routes.query("/timeline", timeline, allow=USERS)
