"""Likes over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from commands.social.like import LikePost, UnlikePost
from projections.social.like import likes_of

routes = Routes(tags=["likes"])
routes.command("/posts/{post_id}/like", LikePost, allow=USERS)
routes.command("/posts/{post_id}/unlike", UnlikePost, allow=USERS)
routes.query("/posts/{post_id}/likes", likes_of, allow=USERS)
