"""Following over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from commands.social.follow import FollowMember, UnfollowMember
from projections.social.follow import followers, following

routes = Routes(tags=["follows"])
routes.command("/profiles/{member_id}/follow", FollowMember, allow=USERS)
routes.command("/profiles/{member_id}/unfollow", UnfollowMember, allow=USERS)
routes.query("/profiles/{member_id}/followers", followers, allow=USERS)
routes.query("/profiles/{member_id}/following", following, allow=USERS)
