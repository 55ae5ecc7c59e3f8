"""Following over HTTP."""

from api.routes import Routes
from commands.social.follow import FollowMember, UnfollowMember
from projections.social.follow import followers, following

routes = Routes(tags=["follows"])
routes.command("/profiles/{member_id}/follow", FollowMember)
routes.command("/profiles/{member_id}/unfollow", UnfollowMember)
routes.query("/profiles/{member_id}/followers", followers)
routes.query("/profiles/{member_id}/following", following)
