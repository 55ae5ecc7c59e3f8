"""The caller's home timeline over HTTP."""

from api.routes import Routes
from projections.social.timeline import timeline

routes = Routes(tags=["timeline"])
routes.query("/timeline", timeline)
