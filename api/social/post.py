"""Posts over HTTP."""

from api.permissions import USERS
from api.routes import Routes
from commands.social.post import CreatePost, DeletePost, EditPost, PublishPost
from projections.social.post import history, post, posts_of

routes = Routes(tags=["posts"])
routes.command("/posts", CreatePost, status=201, allow=USERS)
routes.command("/posts/{post_id}/publish", PublishPost, allow=USERS)
routes.command("/posts/{post_id}/edit", EditPost, allow=USERS)
routes.command("/posts/{post_id}/delete", DeletePost, allow=USERS)
routes.query("/posts/{post_id}", post, allow=USERS)
routes.query("/posts/{post_id}/history", history, allow=USERS)
routes.query("/profiles/{member_id}/posts", posts_of, allow=USERS)
