"""Profiles over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from commands.social.profile import CreateProfile
from projections.social.profile import profile

routes = Routes(tags=["profiles"])
routes.command("/profiles", CreateProfile, status=201, allow=USERS)
routes.query("/profiles/{member_id}", profile, allow=USERS)
